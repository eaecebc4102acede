"""The offline store: Athena and DuckDB over Parquet in S3 with the Glue catalog, partitions, and training sets."""

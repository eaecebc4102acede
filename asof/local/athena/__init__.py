"""Athena, executed: Trino SQL translated to DuckDB over moto's S3 objects and moto's Glue tables.

``service`` is the API (start, get, results, stop) and knows nothing of how requests arrive; ``moto_adapter`` puts it
behind moto's request handling. ``engine`` runs one statement. Every difference between Trino and DuckDB is a rule in
``rewrite`` or a macro in ``functions``; what is not supported is refused by name.
"""

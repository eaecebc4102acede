"""Putting the tables where a team's data would be: Parquet in a bucket, registered in the Glue catalog."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from asof.offline.tables import parquet_table
from examples.flights.dataset import DATE_PARTITIONS

DATABASE: Final = "nyc"
_GLUE: Final = {"int64": "bigint", "double": "double", "bool": "boolean", "string": "string"}
_PARTITIONS_AT_ONCE: Final = 100  # Glue's limit


def write(tables: Mapping[str, pa.Table], *, s3: Any, glue: Any, bucket: str, prefix: str = "nyc/") -> None:
    """Put the tables as Parquet under a prefix of an existing bucket, and register them in Glue database ``nyc``.

    ``s3`` and ``glue`` are boto3 clients. Tables of an earlier call are replaced. Times are written as Athena reads
    them: timestamps in UTC without a zone, in milliseconds. Departures are partitioned by their UTC date.
    """
    with contextlib.suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": DATABASE, "Description": "Flights that left New York"})
    for name, table in tables.items():
        partition = DATE_PARTITIONS.get(name)
        columns = [(field.name, _glue_type(field.type)) for field in table.schema if field.name != partition]
        keys = [(partition, "string")] if partition else []
        definition = parquet_table(name, columns, f"s3://{bucket}/{prefix}{name}/", partition_keys=keys)
        with contextlib.suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=DATABASE, Name=name)
        glue.create_table(DatabaseName=DATABASE, TableInput=definition)
        folders = {}
        for day, part in _days(table, partition):
            folder = f"{prefix}{name}/" + (f"{partition}={day}/" if partition else "")
            s3.put_object(Bucket=bucket, Key=f"{folder}part-0.parquet", Body=_parquet(part))
            folders[day] = f"s3://{bucket}/{folder}"
        if partition:
            _register(glue, name, definition["StorageDescriptor"], list(folders.items()))


def _glue_type(kind: pa.DataType) -> str:
    return "timestamp" if pa.types.is_timestamp(kind) else _GLUE[str(kind)]


def _days(table: pa.Table, partition: str | None) -> Iterator[tuple[str, pa.Table]]:
    """The table's days, which lie together as it is sorted by time; the whole table where it has no partitions."""
    if partition is None:
        yield "", table
        return
    start = 0
    for day, rows in itertools.groupby(table[partition].to_pylist()):
        count = sum(1 for _ in rows)
        yield day, table.slice(start, count).drop_columns([partition])
        start += count


def _parquet(table: pa.Table) -> bytes:
    naive = pa.schema(
        [(each.name, pa.timestamp("ms") if pa.types.is_timestamp(each.type) else each.type) for each in table.schema]
    )
    buffer = io.BytesIO()
    pq.write_table(table.cast(naive), buffer, compression="zstd")
    return buffer.getvalue()


def _register(glue: Any, table: str, storage: Mapping[str, Any], folders: Sequence[tuple[str, str]]) -> None:
    for start in range(0, len(folders), _PARTITIONS_AT_ONCE):
        partitions = [
            {"Values": [day], "StorageDescriptor": {**storage, "Location": location}}
            for day, location in folders[start : start + _PARTITIONS_AT_ONCE]
        ]
        glue.batch_create_partition(DatabaseName=DATABASE, TableName=table, PartitionInputList=partitions)

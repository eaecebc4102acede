"""The generated files as tables of a local cloud, with the columns that Asof's, Feast's and SageMaker's tables have."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asof.clock import utc_date
from asof.offline.tables import PARTITION_KEYS, TIME_COLUMNS, parquet_table
from benchmarks.support.point_in_time_data import DAY_MS, Data

DATABASE: Final = "sagemaker_featurestore"
"""Where SageMaker's SDK always puts frames, and so where everything is."""

BUCKET: Final = "benchmark"
FileSizes = dict[str, int]
"""Compressed bytes of a file's columns, and as ``FOOTER`` what Trino reads of its end."""

Sizes = dict[str, FileSizes]
"""Those of a history's files by day (``YYYY-MM-DD``)."""

FOOTER: Final = "#footer"
_FOOTER_BYTES: Final = 48 * 1024  # whatever the footer has: Trino does not know before it has read it
_AT_ONCE: Final = 100  # Glue's limit of partitions in a call
_SAGEMAKER: Final = {
    "event_time": "double",
    "write_time": "timestamp",
    "api_invocation_time": "timestamp",
    "is_deleted": "boolean",
}


@dataclass(frozen=True, slots=True)
class Lake:
    """Makes tables. ``s3`` and ``glue`` are clients of a local cloud."""

    s3: Any
    glue: Any

    def create(self, region: str) -> None:
        """The bucket and the database."""
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        self.glue.create_database(DatabaseInput={"Name": DATABASE})

    def entity_rows(self, data: Data, table: str) -> FileSizes:
        """``row_id``, ``user_id``, ``event_timestamp`` (the label) and ``label_s``, the label in seconds."""
        rows = pq.read_table(data.labels)
        label = rows["label"].cast(pa.timestamp("ms"))
        columns = {
            "row_id": rows["row_id"],
            "user_id": rows["user_id"],
            "event_timestamp": label,
            "label_s": _seconds(label),
        }
        sizes = self._put(f"{table}/rows.parquet", pa.table(columns))
        kinds = {"row_id": "bigint", "user_id": "bigint", "event_timestamp": "timestamp", "label_s": "double"}
        definition = parquet_table(table, list(kinds.items()), f"s3://{BUCKET}/{table}/")
        self.glue.create_table(DatabaseName=DATABASE, TableInput=definition)
        return sizes

    def history(self, data: Data, table: str) -> Sizes:
        """View 0's history with what SageMaker's offline store has beside, partitioned as Asof's."""
        kinds = {"user_id": "bigint"} | dict.fromkeys(TIME_COLUMNS, "timestamp")
        kinds |= dict.fromkeys(data.feature_names, "double") | _SAGEMAKER
        keys = [(key, "string") for key in PARTITION_KEYS]
        definition = parquet_table(table, list(kinds.items()), f"s3://{BUCKET}/{table}/", partition_keys=keys)
        self.glue.create_table(DatabaseName=DATABASE, TableInput=definition)
        storage, partitions, sizes = definition["StorageDescriptor"], [], {}
        for folder in sorted(data.history(0).glob("*/*")):
            place = folder.relative_to(data.history(0)).as_posix()
            values = [part.partition("=")[2] for part in place.split("/")]
            rows = pq.read_table(next(folder.glob("*.parquet")), partitioning=None)
            sizes[values[0]] = self._put(f"{table}/{place}/rows.parquet", _with_sagemaker(rows))
            location = f"s3://{BUCKET}/{table}/{place}/"
            partitions.append({"Values": values, "StorageDescriptor": {**storage, "Location": location}})
        for start in range(0, len(partitions), _AT_ONCE):
            batch = partitions[start : start + _AT_ONCE]
            self.glue.batch_create_partition(DatabaseName=DATABASE, TableName=table, PartitionInputList=batch)
        return sizes

    def _put(self, key: str, table: pa.Table) -> FileSizes:
        """Writes an object."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        written = buffer.getvalue()
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=written)
        metadata = pq.read_metadata(buffer)
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
        chunks = [group.column(place) for group in groups for place in range(metadata.num_columns)]
        sizes = dict.fromkeys(table.column_names, 0) | {FOOTER: min(_FOOTER_BYTES, len(written))}
        for each in chunks:
            sizes[each.path_in_schema] += each.total_compressed_size
        return sizes


def needed_bytes(history: Sizes, entity_rows: FileSizes, data: Data, bounds_ms: tuple[int, int], as_of: str) -> int:
    """The least that Trino has to read: the question's columns, each once, and footers, of no file that cannot matter.

    Of the history those of the days from the first label less the ttl to the last label.
    """
    first, last = bounds_ms
    oldest = utc_date(first - data.ttl_days * DAY_MS) if data.ttl_days else ""
    days = (each for day, each in history.items() if oldest <= day <= utc_date(last))
    rows = ("row_id", "user_id", "event_timestamp", FOOTER)
    columns = ["user_id", "event_timestamp", "created_timestamp", *data.feature_names, FOOTER]
    if as_of == "served":
        columns.append("available_timestamp")
    return sum(entity_rows[each] for each in rows) + sum(each[name] for each in days for name in columns)


def label_bounds(data: Data) -> tuple[int, int]:
    """First and last label in milliseconds."""
    found = pc.min_max(pq.read_table(data.labels)["label"].cast(pa.timestamp("ms")).cast(pa.int64())).as_py()
    return found["min"], found["max"]


def _with_sagemaker(rows: pa.Table) -> pa.Table:
    in_milliseconds = {name: rows[name].cast(pa.timestamp("ms")) for name in TIME_COLUMNS}
    for name, column in in_milliseconds.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    added = {
        "event_time": _seconds(rows["event_timestamp"]),
        "write_time": rows["created_timestamp"],
        "api_invocation_time": rows["created_timestamp"],
        "is_deleted": pa.array([False]).take(pa.array([0] * rows.num_rows, pa.int64())),
    }
    for name, column in added.items():
        rows = rows.append_column(name, column)
    return rows


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.divide(column.cast(pa.int64()).cast(pa.float64()), 1000.0)

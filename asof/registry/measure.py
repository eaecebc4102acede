"""How big a source is, from what costs little to know: a listing of its objects, and the footers of a few of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import MissingExtraError, QueryError, SourceError
from asof.extras import require
from asof.manifest import BatchSource
from asof.offline.objects import S3Object, folder_uri, list_objects, split_uri
from asof.offline.parquet import RangedObject

SAMPLE: Final = 5
"""Objects whose footers are read, spread over the listing."""

_DATE = r"=(\d{4}-\d{2}-\d{2})/"


@dataclass(frozen=True, slots=True)
class SourceSize:
    """A source as measured.

    ``by_date`` holds bytes per date where the source is partitioned by date. ``rows`` is None where no footer could be
    read, and ``counted`` says that all were. ``shares`` is each column's share of the bytes.
    """

    objects: int
    bytes: int
    by_date: Mapping[str, int] = field(default_factory=dict)
    rows: int | None = None
    counted: bool = False
    shares: Mapping[str, float] = field(default_factory=dict)


def measure(s3: Any, glue: Any, source: BatchSource) -> SourceSize:
    """The size of a source; raises SourceError or QueryError where it cannot be found or listed."""
    found: list[S3Object] = []
    by_date: Counter[str] = Counter()
    column = source.date_partition_column
    day = re.compile(rf"(?:^|/){re.escape(column)}{_DATE}") if column is not None else None
    for location, date in _places(glue, source):
        for each in list_objects(s3, *split_uri(folder_uri(location))):
            found.append(each)
            named = day.search(each.key) if day is not None else None
            if date or named:
                by_date[date or str(named and named[1])] += each.size
    total = sum(each.size for each in found)
    whole = sum(by_date.values()) == total  # a file outside the dates belongs to all of them
    sampled = found if len(found) <= SAMPLE else [found[i * (len(found) - 1) // (SAMPLE - 1)] for i in range(SAMPLE)]
    rows, shares = _footers(s3, sampled)
    read = sum(each.size for each in sampled)
    return SourceSize(
        objects=len(found),
        bytes=total,
        by_date=dict(by_date) if whole else {},
        rows=rows if rows is None or not read else round(rows * total / read),
        counted=rows is not None and len(sampled) == len(found),
        shares=shares,
    )


def _places(glue: Any, source: BatchSource) -> Iterator[tuple[str, str | None]]:
    """The S3 URIs that hold the source, each with its date where the catalog says it."""
    if source.path is not None:
        yield source.path, None
        return
    database, _, name = str(source.table).rpartition(".")
    try:
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
        keys = [each["Name"] for each in table.get("PartitionKeys", ())]
        if not keys or table.get("Parameters", {}).get("projection.enabled") == "true":
            yield table["StorageDescriptor"]["Location"], None
            return
        index = keys.index(source.date_partition_column) if source.date_partition_column in keys else None
        pages = glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=name, ExcludeColumnSchema=True
        )
        for page in pages:
            for each in page["Partitions"]:
                yield each["StorageDescriptor"]["Location"], None if index is None else each["Values"][index]
    except (ClientError, BotoCoreError) as error:
        raise SourceError(f"source {source.name!r}: table {source.table} cannot be read: {error}") from error


def _footers(s3: Any, sampled: Sequence[S3Object]) -> tuple[int | None, dict[str, float]]:
    """Rows of the objects, and each column's share of their bytes; None and nothing where that cannot be known."""
    try:
        parquet = require("pyarrow.parquet", "offline", "counting rows")
        invalid: type[Exception] = require("pyarrow", "offline", "counting rows").ArrowInvalid
    except MissingExtraError:
        return None, {}
    rows, columns = 0, Counter[str]()
    for each in sampled:
        try:
            footer = parquet.read_metadata(RangedObject(s3, each))
        except (QueryError, invalid):  # it may not be read, or is not Parquet: the estimate says what it does not know
            return None, {}
        rows += footer.num_rows
        for i in range(footer.num_row_groups):
            group = footer.row_group(i)
            for j in range(group.num_columns):
                chunk = group.column(j)
                columns[chunk.path_in_schema.partition(".")[0]] += chunk.total_compressed_size
    total = columns.total()
    return rows, {name: size / total for name, size in columns.items()} if total else {}

"""Glue tables as temporary views of a Spark session: partitions from Glue, their Parquet from S3.

Nothing depends on the session's own catalog, so the same code runs inside Glue and on a plain Spark.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from asof.offline.catalog import Bounds, parquet_table_of, places
from asof.offline.objects import folder_uri, list_objects, split_uri

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_LISTINGS: Final = 16

Place = tuple[str, tuple[str, ...]]
"""A folder's URI and its partition's values."""


class SparkTables:
    """Brings tables of the Glue catalog into a session. ``glue`` and ``s3`` are boto3 clients."""

    def __init__(self, spark: SparkSession, glue: Any, s3: Any) -> None:
        self.spark = spark
        self.s3 = s3
        self._glue = glue

    def attach(self, view: str, database: str, table: str, bounds: Mapping[str, Bounds] | None = None) -> None:
        """A table as the temporary view ``view``: Glue's columns and types, then its partition keys.

        Partitions outside of ``bounds`` (inclusive, by key) are left out. What is registered later is not seen.
        Raises QueryError where the table does not exist, is not Parquet, or cannot be read.
        """
        found = parquet_table_of(self._glue, database, table)
        columns = _typed(found["StorageDescriptor"]["Columns"])
        keys = _typed(found.get("PartitionKeys", ()))
        where = self._present(places(self._glue, self.s3, found, bounds or {}))
        self._frame(columns, keys, where).createOrReplaceTempView(view)

    def parquet(self, location: str) -> DataFrame:
        """All Parquet under a prefix, typed as the files say."""
        return self.spark.read.option("recursiveFileLookup", "true").parquet(location)

    def _present(self, found: Iterable[Place]) -> list[Place]:
        """The places that hold data: Spark refuses to read a folder that is not there."""

        def holds_data(place: Place) -> bool:
            return next(list_objects(self.s3, *split_uri(folder_uri(place[0]))), None) is not None

        listed = list(found)
        with ThreadPoolExecutor(_LISTINGS) as pool:
            return [place for place, there in zip(listed, pool.map(holds_data, listed), strict=True) if there]

    def _frame(self, columns: Mapping[str, str], keys: Mapping[str, str], where: Sequence[Place]) -> DataFrame:
        typed = {**columns, **keys}
        if not where:
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {_quoted(name)}" for name, kind in typed.items())
            return self.spark.sql(f"SELECT {nothing} WHERE false")
        if not keys:
            reader = self.spark.read.schema(_ddl(columns)).option("recursiveFileLookup", "true")
            return reader.parquet(where[0][0])
        base = _base(where, list(keys))
        if base is not None:  # one scan, whose partitions Spark finds in the paths
            return self.spark.read.schema(_ddl(typed)).option("basePath", base).parquet(*(place for place, _ in where))
        frames = [self._one(columns, keys, each) for each in where]
        return functools.reduce(lambda left, right: left.unionAll(right), frames)

    def _one(self, columns: Mapping[str, str], keys: Mapping[str, str], place: Place) -> DataFrame:
        """A partition whose folder does not spell its values."""
        from pyspark.sql.functions import lit

        frame = self.spark.read.schema(_ddl(columns)).parquet(place[0])
        for (name, kind), value in zip(keys.items(), place[1], strict=True):
            frame = frame.withColumn(name, lit(value).cast(kind))
        return frame


def _typed(columns: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in columns}


def _ddl(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _base(where: Sequence[Place], keys: Sequence[str]) -> str | None:
    """The folder over all places, where each path goes on from it with its partition's values as Hive spells them."""
    bases = set()
    for place, values in where:
        above, *folders = place.rstrip("/").rsplit("/", len(keys))
        spelled = {name: value for name, _, value in (unquote(folder).partition("=") for folder in folders)}
        if spelled != dict(zip(keys, values, strict=True)):
            return None
        bases.add(above)
    return f"{bases.pop()}/" if len(bases) == 1 else None

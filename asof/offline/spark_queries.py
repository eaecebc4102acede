"""Spark where Athena would run: the questions of a run, in Spark's SQL, over temporary views of the Glue tables."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from asof.errors import QueryError
from asof.extras import require
from asof.offline.athena import QueryResult
from asof.offline.athena_rows import Row, Value
from asof.offline.catalog import Bounds
from asof.offline.objects import require_empty, split_uri
from asof.offline.spark_tables import SparkTables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_BETWEEN = re.compile(r"`(\w+)` BETWEEN '([^']*)' AND '([^']*)'")
_FORMATS: Final = {"PARQUET": "parquet", "JSON": "json"}
_MARKER: Final = "_$folder$"

Relations = Mapping[str, tuple[str, str]]
"""Which Glue table, as (database, table), a name in a statement means."""


class SparkQueries:
    """Keeps ``asof.offline.queries.Queries``. ``sort`` are the columns that rows of a partition are sorted by.

    It may be used by several threads. Bytes scanned are not counted: nobody is billed by them.
    """

    def __init__(self, tables: SparkTables, relations: Relations, sort: Sequence[str]) -> None:
        self._tables = tables
        self._relations = relations
        self._sort = tuple(sort)
        self._lock = threading.Lock()
        self._results: dict[str, list[Row]] = {}

    def run(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,  # noqa: ARG002  # a statement begins where it is called, so once
        deadline_ms: int | None = None,  # noqa: ARG002  # the job's own timeout is its deadline
    ) -> QueryResult:
        """Run one SELECT, whose rows are few; raises QueryError with Spark's reason."""
        started = time.monotonic()
        with translated(sql, _about(purpose, view)):
            found = self._frame(sql).collect()
        rows = [{name: _plain(value) for name, value in row.asDict().items()} for row in found]
        query_id = uuid.uuid4().hex
        self._results[query_id] = rows
        return _done(query_id, started)

    def unload(
        self,
        select_sql: str,
        s3_uri: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,  # noqa: ARG002  # as in run
        deadline_ms: int | None = None,  # noqa: ARG002  # as in run
        file_format: str = "PARQUET",
        compression: str = "ZSTD",
        partitioned_by: Sequence[str] = (),
    ) -> QueryResult:
        """Write a query's rows to a prefix that must be empty, one file per partition, sorted."""
        require_empty(self._tables.s3, s3_uri)
        started = time.monotonic()
        with translated(select_sql, _about(purpose, view)):
            frame = self._frame(select_sql)
            if partitioned_by:
                frame = frame.repartition(*partitioned_by).sortWithinPartitions(*partitioned_by, *self._sort)
            write_frame(frame, s3_uri, _FORMATS[file_format], compression.lower(), partitioned_by)
        sweep_markers(self._tables.s3, s3_uri)
        return _done(uuid.uuid4().hex, started)

    def rows(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> list[Row]:
        """The rows of a SELECT, as dictionaries."""
        return self.results(self.run(sql, purpose, view=view, token=token, deadline_ms=deadline_ms).query_id)

    def results(self, query_id: str) -> list[Row]:
        """The rows of a SELECT that :meth:`run` ran."""
        return self._results[query_id]

    def _frame(self, sql: str) -> DataFrame:
        """The statement over the tables as they are now. Its names are bound before another thread binds them anew."""
        bounds = _bounds(sql)
        with self._lock:
            for name, (database, table) in self._relations.items():
                if f"`{name}`" in sql:
                    self._tables.attach(name, database, table, bounds)
            return self._tables.spark.sql(sql)


def write_frame(
    frame: DataFrame, uri: str, file_format: str, compression: str, partitioned_by: Sequence[str] = ()
) -> None:
    """Write a frame as files of one format; NULLs are written as such, and nothing beside the data."""
    writer = frame.write.format(file_format).option("compression", compression).option("ignoreNullFields", "false")
    writer = writer.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    (writer.partitionBy(*partitioned_by) if partitioned_by else writer).mode("append").save(uri)


def sweep_markers(s3: Any, uri: str) -> None:
    """Delete the empty objects by which Hadoop's file systems on S3 remember folders; they are no data."""
    bucket, prefix = split_uri(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            if not each["Size"] and each["Key"].endswith(("/", _MARKER)):
                s3.delete_object(Bucket=bucket, Key=each["Key"])


def _bounds(sql: str) -> dict[str, Bounds]:
    """What a statement says of columns everywhere: the least and the greatest value between which it wants them."""
    found: dict[str, Bounds] = {}
    for name, first, last in _BETWEEN.findall(sql):
        least, greatest = found.get(name, (first, last))
        found[name] = min(least, first), max(greatest, last)
    return found


def _about(purpose: str, view: str | None) -> str:
    return f"{purpose} of {view}" if view else purpose


def _done(query_id: str, started: float) -> QueryResult:
    return QueryResult(query_id, 0, int((time.monotonic() - started) * 1000))


def _plain(value: Value) -> Value:
    """A value as Athena's rows have it: pyspark gives instants in the process's zone, without saying so."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


@contextmanager
def translated(sql: str, about: str) -> Iterator[None]:
    """Turns Spark's errors into QueryError."""
    py4j = require("py4j.protocol", "spark", "Spark")
    errors = require("pyspark.errors", "spark", "Spark")
    try:
        yield
    except (errors.PySparkException, py4j.Py4JError) as error:
        reason = str(error).partition("\n\nJVM stacktrace")[0][:2_000]
        raise QueryError(f"Spark says of the query for {about}: {reason}", sql=sql) from error

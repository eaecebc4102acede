"""Point-in-time joins on Spark, for training sets too large for one Athena query: from S3 to S3, never in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from asof.clock import to_ms
from asof.errors import QueryError, RequestError
from asof.names import Environment, scratch_prefix
from asof.offline.engine import Answer, Question, Stored, check_columns, join_sql, staging_sql, visible_dates
from asof.offline.entity_rows import INTERNAL_LABEL, EntityRows, EntityS3, EntitySQL, refuse
from asof.offline.objects import delete_prefix, require_empty
from asof.offline.parquet import count_rows
from asof.offline.progress import Progress
from asof.offline.spark_queries import sweep_markers, translated, write_frame
from asof.offline.spark_session import prepare
from asof.offline.spark_tables import SparkTables
from asof.sql.dialects import render

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SPINE = "asof_entity_rows"
_SOURCE = "asof_entity_source"


@dataclass(frozen=True, slots=True)
class _Spine:
    """Entity rows that stand in the view ``_SPINE``. ``carry``: columns that come along."""

    rows: int
    carry: tuple[str, ...]
    bounds_ms: tuple[int, int] | None = None


class SparkEngine:
    """An engine for exports. ``glue`` and ``s3`` are boto3 clients; the session reads and writes ``s3://`` itself."""

    name = "spark"

    def __init__(self, environment: Environment, spark: SparkSession, glue: Any, s3: Any) -> None:
        self._environment = environment
        self._spark = prepare(spark)
        self._tables = SparkTables(spark, glue, s3)
        self.s3 = s3

    def sql(self, question: Question) -> str:
        """The statement that would answer the question, over entity rows in a table ``entity_rows``."""
        return join_sql(question.request("entity_rows"), self.name)

    def run(self, question: Question, rows: EntityRows, progress: Progress) -> Answer:  # noqa: ARG002  # the protocol's
        """Refused: an answer in memory is what this engine is not for."""
        raise RequestError(
            "Spark writes training sets to S3 only, from entity rows that are a query or in S3, and without on-demand "
            "features, which are computed in memory; use Athena, or ask for the features they are computed from"
        )

    def store(
        self, question: Question, rows: EntitySQL | EntityS3, columns: Sequence[str], location: str, progress: Progress
    ) -> Stored:
        """The answer as Parquet under an empty S3 prefix; raises QueryError where Spark fails."""
        require_empty(self.s3, location)
        with self._spine(question, rows, progress) as spine:
            if spine.rows:
                database = self._environment.database
                for each in question.views:
                    dates = visible_dates(each.view, spine.bounds_ms)
                    bounds = {} if dates is None else {"event_date": dates}
                    self._tables.attach(str(each.relation), database, str(each.relation), bounds)
                progress("joining", None)
                sql = join_sql(question.request(_SPINE, spine.carry, spine.bounds_ms), self.name)
                with translated(sql, "a training set"):
                    answer = self._spark.sql(sql).select(*(f"`{name}`" for name in (*spine.carry, *columns)))
                    self._write(answer, location)
                written = count_rows(self.s3, location)
                if written != spine.rows:
                    raise QueryError(f"{spine.rows} entity rows gave {written} rows under {location}; do not use them")
        return Stored(spine.rows)

    @contextmanager
    def _spine(self, question: Question, rows: EntitySQL | EntityS3, progress: Progress) -> Iterator[_Spine]:
        """The entity rows with an id each, written down once: read again, they would get other ids."""
        progress("reading entity rows", None)
        prefix = scratch_prefix("export", uuid.uuid4().hex)
        scratch = f"s3://{self._environment.offline_bucket}/{prefix}"
        try:
            select_sql = self._transpiled(rows.sql) if isinstance(rows, EntitySQL) else self._attached(rows.location)
            with translated(select_sql, "entity rows"):
                kinds = dict(self._spark.sql(select_sql).dtypes)
            found = {name: "timestamp" if kind == "timestamp_ntz" else kind for name, kind in kinds.items()}
            check_columns(found, question.needs)
            staging = staging_sql(select_sql, found, question.needs, self.name)
            with translated(staging, "entity rows"):
                staged = self._spark.sql(staging)
                self._write(staged, scratch)
                self._spark.read.schema(staged.schema).parquet(scratch).createOrReplaceTempView(_SPINE)
                yield self._staged(question.needs.label, tuple(found))
        finally:
            delete_prefix(self.s3, self._environment.offline_bucket, prefix)

    def _staged(self, label: str, carry: tuple[str, ...]) -> _Spine:
        at = f"`{INTERNAL_LABEL}`"
        sql = f"SELECT count(*), count({at}), min({at}), max({at}) FROM {_SPINE}"  # noqa: S608  # both names are ours
        count, present, first, last = self._spark.sql(sql).collect()[0]
        if count != present:
            refuse([f"column {label!r} (the label time) is null in {count - present} rows"])
        return _Spine(count, carry, (_ms(first), _ms(last)) if count else None)

    def _transpiled(self, sql: str) -> str:
        """A query in Athena's SQL as Spark's, with the tables it reads attached."""
        try:
            query = sqlglot.parse_one(sql, dialect="athena")
        except sqlglot.ParseError as error:
            raise QueryError(f"the entity rows' SQL cannot be read: {error}", sql=sql) from error
        common = {each.alias_or_name.lower() for each in query.find_all(exp.CTE)}
        for number, table in enumerate(list(query.find_all(exp.Table))):
            if not table.db and table.name.lower() in common:
                continue
            name = f"{_SOURCE}_{number}"
            self._tables.attach(name, (table.db or self._environment.database).lower(), table.name.lower())
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
            for part, value in (("this", exp.to_identifier(name, quoted=True)), ("db", None), ("catalog", None)):
                table.set(part, value)
        return render(query, self.name)

    def _attached(self, location: str) -> str:
        with translated("", f"entity rows under {location}"):
            self._tables.parquet(location).createOrReplaceTempView(_SOURCE)
        return f"SELECT * FROM {_SOURCE}"  # noqa: S608  # the name is ours

    def _write(self, frame: DataFrame, location: str) -> None:
        write_frame(frame, location, "parquet", "zstd")
        sweep_markers(self.s3, location)


def _ms(value: datetime) -> int:
    """Pyspark gives instants in the process's zone, without saying so."""
    return to_ms(value.astimezone(timezone.utc), "label")

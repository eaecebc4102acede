"""Point-in-time joins on Athena: entity rows in by a temporary table, rows out by UNLOAD, both cleaned up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from asof.clock import to_ms
from asof.errors import EntityRowsError, QueryError
from asof.names import Environment
from asof.offline.athena import Athena, QueryResult
from asof.offline.engine import (
    Answer,
    Question,
    Stored,
    check_columns,
    join_sql,
    quoted,
    staging_sql,
)
from asof.offline.entity_rows import INTERNAL_LABEL, EntityFrame, EntityRows, EntityS3, EntitySQL, label_bounds, refuse
from asof.offline.objects import list_objects, require_empty, split_uri
from asof.offline.parquet import count_rows, read_prefix, read_schema
from asof.offline.progress import Progress
from asof.offline.temporary import TemporaryTables, glue_columns

PURPOSE: Final = "training_set"
"""How these statements are tagged."""


@dataclass(slots=True)
class _Spent:
    """What the statements of one answer took."""

    scanned_bytes: int = 0
    query_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Spine:
    """Entity rows that stand in a table of the catalog. ``carry``: columns that come along, with their SQL types."""

    table: str
    rows: int
    carry: Mapping[str, str]
    bounds_ms: tuple[int, int] | None


class AthenaEngine:
    """The engine of a deployed store. ``glue`` and ``s3`` are boto3 clients."""

    name = "athena"

    def __init__(self, environment: Environment, athena: Athena, glue: Any, s3: Any) -> None:
        self._athena = athena
        self.s3 = s3
        self._temporary = TemporaryTables(s3, glue, environment)

    def sql(self, question: Question) -> str:
        """The statement that would answer the question, over entity rows in a table ``entity_rows``."""
        return join_sql(question.request("entity_rows"), self.name)

    def run(self, question: Question, rows: EntityRows, progress: Progress) -> Answer:
        """The answer in memory. Temporary tables and objects are gone afterwards, also when something fails."""
        spent = _Spent()
        with self._spine(question, rows, spent, progress) as spine:
            if not spine.rows:
                return Answer(None, 0, spine.carry, spent.scanned_bytes, tuple(spent.query_ids))
            with self._temporary.prefix("result") as result:
                progress("joining", None)
                sql = join_sql(question.request(spine.table, tuple(spine.carry), spine.bounds_ms), self.name)
                self._unload(sql, result.location, spent)
                progress("reading the result", None)
                table = read_prefix(self.s3, result.location)
        return Answer(table, spine.rows, spine.carry, spent.scanned_bytes, tuple(spent.query_ids))

    def store(
        self, question: Question, rows: EntitySQL | EntityS3, columns: Sequence[str], location: str, progress: Progress
    ) -> Stored:
        """The answer as Parquet under an empty S3 prefix, straight from Athena."""
        require_empty(self.s3, location)
        spent = _Spent()
        with self._spine(question, rows, spent, progress) as spine:
            if spine.rows:
                progress("joining", None)
                sql = join_sql(question.request(spine.table, tuple(spine.carry), spine.bounds_ms), self.name)
                names = ", ".join(quoted(name) for name in (*spine.carry, *columns))
                self._unload(f"SELECT {names} FROM (\n{sql}\n)", location, spent)  # noqa: S608  # names are quoted
                written = count_rows(self.s3, location)
                if written != spine.rows:
                    raise QueryError(f"{spine.rows} entity rows gave {written} rows under {location}; do not use them")
        return Stored(spine.rows, spent.scanned_bytes, tuple(spent.query_ids))

    @contextmanager
    def _spine(self, question: Question, rows: EntityRows, spent: _Spent, progress: Progress) -> Iterator[_Spine]:
        """The entity rows as a temporary table."""
        if isinstance(rows, EntityFrame):
            progress("uploading entity rows", None)
            with self._temporary.rows(rows.spine) as scratch:
                yield _Spine(scratch.table, rows.spine.num_rows, {}, label_bounds(rows.spine))
            return
        with self._select(rows) as select_sql, self._temporary.prefix("rows") as scratch:
            progress("reading entity rows", None)
            found = self._columns(select_sql, spent)
            check_columns(found, question.needs)
            self._unload(staging_sql(select_sql, found, question.needs, self.name), scratch.location, spent)
            first = next(list_objects(self.s3, *split_uri(scratch.location)), None)
            if first is None:
                yield _Spine(scratch.table, 0, found, None)
                return
            self._temporary.create(scratch, glue_columns(read_schema(self.s3, first)))
            count, bounds = self._labels(scratch.table, question.needs.label, spent)
            yield _Spine(scratch.table, count, found, bounds)

    @contextmanager
    def _select(self, rows: EntitySQL | EntityS3) -> Iterator[str]:
        """The entity rows as a query; Parquet in S3 gets a temporary table over the place where it lies."""
        if isinstance(rows, EntitySQL):
            yield rows.sql
            return
        first = next(list_objects(self.s3, *split_uri(rows.location)), None)
        if first is None:
            raise EntityRowsError(f"there are no entity rows: no Parquet object lies under {rows.location}")
        with self._temporary.prefix("source") as scratch:
            self._temporary.create(scratch, glue_columns(read_schema(self.s3, first)), rows.location)
            yield f"SELECT * FROM {quoted(scratch.table)}"  # noqa: S608  # the name is quoted, and ours

    def _columns(self, select_sql: str, spent: _Spent) -> dict[str, str]:
        """The columns of a query and their types; nothing is scanned for LIMIT 0."""
        sql = f"SELECT * FROM (\n{select_sql}\n) AS entity_rows LIMIT 0"  # noqa: S608  # the user's own query
        return self._athena.columns(self._run(sql, spent))

    def _labels(self, table: str, label: str, spent: _Spent) -> tuple[int, tuple[int, int]]:
        """Number of entity rows, and the first and last label; raises EntityRowsError where a label is missing."""
        at = quoted(INTERNAL_LABEL)
        counted = f'count(*) AS n, count({at}) AS present, min({at}) AS "first", max({at}) AS "last"'
        sql = f"SELECT {counted} FROM {quoted(table)}"  # noqa: S608  # all names are ours, and quoted
        (row,) = self._athena.results(self._run(sql, spent))
        count, present, first, last = row["n"], row["present"], row["first"], row["last"]
        if not isinstance(count, int) or not isinstance(present, int):
            raise QueryError(f"Athena counted entity rows as {count!r}")
        if count != present or not isinstance(first, datetime) or not isinstance(last, datetime):
            refuse([f"column {label!r} (the label time) is null in {count - present} rows"])
            raise QueryError(f"Athena gave {first!r} and {last!r} as first and last label")
        return count, (to_ms(first), to_ms(last))

    def _unload(self, sql: str, location: str, spent: _Spent) -> None:
        self._note(self._athena.unload(sql, location, PURPOSE), spent)

    def _run(self, sql: str, spent: _Spent) -> str:
        return self._note(self._athena.run(sql, PURPOSE), spent)

    @staticmethod
    def _note(result: QueryResult, spent: _Spent) -> str:
        spent.scanned_bytes += result.scanned_bytes
        spent.query_ids.append(result.query_id)
        return result.query_id

"""Point-in-time joins on this machine: DuckDB over the same Glue tables and the same Parquet that Athena reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from asof.clock import to_ms
from asof.errors import EntityRowsError, QueryError
from asof.extras import require
from asof.names import Environment
from asof.offline.athena import Athena
from asof.offline.duckdb_catalog import LocalTables, create_view, parquet_scan, process_cache
from asof.offline.duckdb_point_in_time import run_native
from asof.offline.engine import Answer, Question, Stored, check_columns, join_sql, quoted, staging_sql, visible_dates
from asof.offline.entity_rows import (
    INTERNAL_LABEL,
    EntityFrame,
    EntityRows,
    EntityS3,
    EntitySQL,
    label_bounds,
    refuse,
)
from asof.offline.objects import require_empty
from asof.offline.parquet import write_object
from asof.offline.progress import Progress

if TYPE_CHECKING:
    import duckdb

_SPINE = "asof_entity_rows"


@dataclass(frozen=True, slots=True)
class _Spine:
    """Entity rows that stand in the table ``_SPINE``. ``carry``: columns that come along, with their SQL types."""

    rows: int
    carry: dict[str, str] = field(default_factory=dict)
    bounds_ms: tuple[int, int] | None = None


class DuckDBEngine:
    """An engine without a service: reads the catalog and the objects with boto3, joins in this process.

    Made like every engine; it needs no Athena. ``cache`` is a folder that keeps copies of objects between processes;
    without it they go with this one. Scanned bytes are those of the Parquet read.
    """

    name = "duckdb"

    def __init__(
        self, environment: Environment, _athena: Athena | None, glue: Any, s3: Any, *, cache: Path | None = None
    ) -> None:
        self._environment = environment
        self._glue = glue
        self.s3 = s3
        self._cache = cache

    def sql(self, question: Question) -> str:
        """The join as one statement of DuckDB's SQL, over entity rows in a table ``entity_rows``.

        It says what is computed; what runs is a plan of several statements with the same answer.
        """
        return join_sql(question.request("entity_rows"), self.name)

    def run(self, question: Question, rows: EntityRows, progress: Progress) -> Answer:
        """The answer in memory; raises QueryError where DuckDB fails."""
        with self._session() as session:
            spine = session.spine(question, rows, progress)
            if not spine.rows:
                return Answer(None, 0, spine.carry, session.scanned_bytes)
            for done, each in enumerate(question.views):
                progress(f"reading {each.view.reference}", done / len(question.views))
                session.attach(str(each.relation), visible_dates(each.view, spine.bounds_ms))
            progress("joining", None)
            table = run_native(session.connection, question.request(_SPINE, tuple(spine.carry), spine.bounds_ms))
            return Answer(table, spine.rows, spine.carry, session.scanned_bytes)

    def store(
        self, question: Question, rows: EntitySQL | EntityS3, columns: Sequence[str], location: str, progress: Progress
    ) -> Stored:
        """The answer as one Parquet object under an empty S3 prefix; it passes through this process."""
        require_empty(self.s3, location)
        answer = self.run(question, rows, progress)
        if answer.table is not None:
            if answer.table.num_rows != answer.rows:
                raise QueryError(f"{answer.rows} entity rows gave {answer.table.num_rows} rows; nothing was stored")
            write_object(self.s3, answer.table.select([*answer.carry, *columns]), f"{location}part-0.parquet")
        return Stored(answer.rows, answer.scanned_bytes)

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        duckdb = require("duckdb", "offline", "the DuckDB engine")
        spill = (self._cache or process_cache()) / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        try:
            with duckdb.connect(config={"temp_directory": str(spill)}) as connection:
                # Footers are read once, though a table's files are opened to say its columns and again to read them.
                connection.execute("SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
                yield _Session(connection, LocalTables(self._glue, self.s3, self._cache), self._environment.database)
        except duckdb.Error as error:
            raise QueryError(f"DuckDB says: {error}") from error


class _Session:
    """One connection, the tables brought to it, and the bytes they have."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: LocalTables, database: str) -> None:
        self.connection = connection
        self.scanned_bytes = 0
        self._tables = tables
        self._database = database

    def attach(self, table: str, dates: tuple[str, str] | None) -> None:
        """A history of the environment's database under its own name."""
        local = self._tables.table(self._database, table, dates)
        self.scanned_bytes += local.bytes
        create_view(self.connection, local, own=True)

    def spine(self, question: Question, rows: EntityRows, progress: Progress) -> _Spine:
        """The entity rows in the table ``_SPINE``."""
        if isinstance(rows, EntityFrame):
            self.connection.register(_SPINE, rows.spine)
            return _Spine(rows.spine.num_rows, {}, label_bounds(rows.spine))
        progress("reading entity rows", None)
        select_sql = self._transpiled(rows.sql) if isinstance(rows, EntitySQL) else self._parquet(rows.location)
        relation = self.connection.sql(select_sql)
        found = {name: _athena_type(str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)}
        check_columns(found, question.needs)
        staging = staging_sql(select_sql, found, question.needs, "duckdb")
        self.connection.execute(f"CREATE TEMP TABLE {_SPINE} AS {staging}")
        return self._staged(question.needs.label, found)

    def _staged(self, label: str, found: dict[str, str]) -> _Spine:
        at = quoted(INTERNAL_LABEL)
        sql = f"SELECT count(*), count({at}), min({at}), max({at}) FROM {_SPINE}"  # noqa: S608  # both names are ours
        count, present, first, last = self.connection.sql(sql).fetchall()[0]
        if count != present:
            refuse([f"column {label!r} (the label time) is null in {count - present} rows"])
        return _Spine(count, found, (_utc_ms(first), _utc_ms(last)) if count else None)

    def _transpiled(self, sql: str) -> str:
        """A query in Athena's SQL as DuckDB's, with the tables it reads attached under their databases' names."""
        try:
            query = sqlglot.parse_one(sql, dialect="athena")
        except sqlglot.ParseError as error:
            raise QueryError(f"the entity rows' SQL cannot be read: {error}", sql=sql) from error
        common = {each.alias_or_name.lower() for each in query.find_all(exp.CTE)}
        for table in list(query.find_all(exp.Table)):
            if not table.db and table.name.lower() in common:
                continue
            database = (table.db or self._database).lower()
            local = self._tables.table(database, table.name.lower())
            self.scanned_bytes += local.bytes
            create_view(self.connection, local, database)
            table.set("db", exp.to_identifier(database, quoted=True))
            table.set("catalog", None)
        return query.sql(dialect="duckdb")

    def _parquet(self, location: str) -> str:
        files, size = self._tables.files(location)
        if not files:
            raise EntityRowsError(f"there are no entity rows: no Parquet object lies under {location}")
        self.scanned_bytes += size
        return f"SELECT * FROM {parquet_scan(files)}"  # noqa: S608  # paths of our own cache, quoted


def _athena_type(duckdb_type: str) -> str:
    """Athena's name of a DuckDB type, as far as entity rows need it."""
    kind = duckdb_type.lower()
    return "timestamp" if kind in ("timestamp_s", "timestamp_ms", "timestamp_ns") else kind


def _utc_ms(value: datetime) -> int:
    return to_ms(value.replace(tzinfo=timezone.utc), "label")

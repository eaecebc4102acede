"""The engine ``local_athena`` of the behaviour suite: Athena's text as the local cloud executes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from asof.local.athena.parse import parse
from asof.local.athena.statements import Select
from asof.local.server.local_server import LocalServer
from tests.support.engine import Row
from tests.support.lake_tables import DATABASE, LakeTables


class LocalAthenaEngine:
    """Asks the local cloud's Athena inside this process, so that values come back with their types."""

    name = "local_athena"
    dialect = "athena"

    def __init__(self, cloud: LocalServer) -> None:
        self.tables = LakeTables(cloud)
        self._engine = cloud.assembly.athena.service(cloud.account, cloud.region)._engine

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table; ``columns`` are Glue's types by name."""
        self.tables.create(table, columns, rows)

    def query(self, sql: str, database: str = DATABASE) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The rows of a SELECT; raises QueryFailedError as the local Athena fails."""
        statement = parse(sql, ())
        if not isinstance(statement, Select):
            raise TypeError(f"only a SELECT gives rows, not a {type(statement).__name__}")
        with self._engine.prepare(statement.query, database) as prepared:
            found = prepared.cursor.execute(prepared.sql).fetchall()
            return tuple(each.name for each in prepared.columns), found


@contextmanager
def open_local_athena(cloud: LocalServer) -> Iterator[LocalAthenaEngine]:
    """The engine over a local cloud that runs."""
    yield LocalAthenaEngine(cloud)

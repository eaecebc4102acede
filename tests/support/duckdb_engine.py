"""The engine ``duckdb`` of the behaviour suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from tests.support.arrow_rows import arrow_table
from tests.support.engine import Row


class DuckDBEngine:
    """Tables of a database, made by way of Arrow."""

    name = "duckdb"
    dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table; ``columns`` are Glue's types by name."""
        self.connection.register("given", arrow_table(columns, rows))
        self.connection.execute(f'CREATE OR REPLACE TABLE "{table}" AS FROM given')
        self.connection.unregister("given")

    def query(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """A statement's column names and its rows, as Python's values."""
        found = self.connection.execute(sql)
        return tuple(str(each[0]) for each in found.description or []), found.fetchall()


@contextmanager
def open_duckdb() -> Iterator[DuckDBEngine]:
    """An empty database in memory."""
    with duckdb.connect(config={"threads": 1}) as connection:
        yield DuckDBEngine(connection)

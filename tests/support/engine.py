"""What a behaviour test needs of an engine, so that one suite asks them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]


class Engine(Protocol):
    """An engine that holds tables and answers queries; the suite knows nothing else about it."""

    name: str
    """How it is called in ``ASOF_TEST_ENGINES``: duckdb, trino, spark."""

    dialect: str
    """Which of ``asof.sql.dialects`` it is asked in."""

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table; ``columns`` are Glue's types by name.

        Instants are datetimes without a zone, meaning UTC; a missing column of a row is NULL.
        """
        ...

    def query(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """A statement's column names and its rows, as Python's values.

        They are int, float (NaN is NaN), bool, str, date, list, None, and naive datetime (UTC).
        """
        ...

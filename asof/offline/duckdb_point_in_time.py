"""Runs a point-in-time join on a DuckDB connection, natively (``asof.sql.point_in_time_native``)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asof.sql.dialects import render
from asof.sql.point_in_time_native import point_in_time_native
from asof.sql.point_in_time_request import PointInTimeRequest

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def run_native(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The answer as an Arrow table: one row per entity row, ordered by row id, columns as ``request.columns()``.

    The connection must know the entity rows and histories that the request names. Its temporary tables
    are gone afterwards, whatever happens. DuckDB's own errors pass through.
    """
    with native_relation(connection, request) as relation:
        table: pa.Table = relation.to_arrow_table()
        return table


@contextmanager
def native_relation(
    connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The answer as a relation that has not run yet, for writing it somewhere without holding it in memory.

    It can be used only inside the ``with``: its temporary tables go at the end.
    """
    plan = point_in_time_native(request, prefix=f"asof_pit_{secrets.token_hex(4)}")
    try:
        for step in plan.steps:
            connection.execute(f'CREATE TEMP TABLE "{step.table}" AS {render(step.query, "duckdb")}')
            _drop(connection, step.drops)
        yield connection.sql(render(plan.query, "duckdb"))
    finally:
        _drop(connection, (step.table for step in plan.steps))


def _drop(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    for table in tables:
        connection.execute(f'DROP TABLE IF EXISTS "{table}"')

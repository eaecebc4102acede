"""Point-in-time problems put to DuckDB in every way the product asks it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from asof.offline.duckdb_point_in_time import run_native
from asof.sql.dialects import render
from asof.sql.point_in_time import PointInTimeRequest, point_in_time
from tests.support.duckdb_engine import DuckDBEngine
from tests.support.pit_case import Case, answered, differing

Engine = Callable[[duckdb.DuckDBPyConnection, PointInTimeRequest], pa.Table]


def canonical(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The canonical expression rendered for DuckDB."""
    return connection.sql(render(point_in_time(request), "duckdb")).to_arrow_table()


def athena(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The Athena text, transpiled as the local cloud does it."""
    text = render(point_in_time(request), "athena")
    return connection.sql(sqlglot.transpile(text, read="athena", write="duckdb")[0]).to_arrow_table()


def native(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The native plan."""
    return run_native(connection, request)


ENGINES: Mapping[str, Engine] = {"canonical": canonical, "athena": athena, "native": native}


def load(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables that the case's request names."""
    for table in case.tables():
        DuckDBEngine(connection).create(table.name, table.columns, table.rows)


def answers(case: Case, connection: duckdb.DuckDBPyConnection, engine: Engine) -> list[dict[str, Any]]:
    """An engine's answer to a loaded case, in its own order."""
    table = engine(connection, case.request())
    return answered(case, table.column_names, (tuple(row.values()) for row in table.to_pylist()))


def check(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    """Fails where an engine's rows, their order or one value differ from the oracle's."""
    expected = case.expected()
    load(case, connection)
    for name, engine in ENGINES.items():
        wrong = differing(answers(case, connection, engine), expected)
        if wrong is not None:
            raise AssertionError(f"{name}: {wrong}")

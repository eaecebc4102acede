"""Runs a view's queries on DuckDB both ways: its own rendering, and Athena's, transpiled as the local cloud does."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import sqlglot

from asof.names import history_table, source_table, staging_table
from asof.sql.binding import bind, parameters
from asof.sql.dialects import render
from asof.sql.queries import expressions
from asof.sql.source_rows import source_columns
from tests.support.compute_ground import (
    WIDE_DATES,
    Values,
    dated,
    emitted_rows,
    history_types,
    parameters_of,
    source_types,
)
from tests.support.window_oracle import Case, Emitted, Row, Work

__all__ = ["WIDE_DATES", "parameters_of"]

_TEXTS: dict[str, Mapping[str, tuple[str, str]]] = {}


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """One connection for all tests of a process; every test makes its own tables anew."""
    return duckdb.connect(config={"threads": 1})


def texts(case: Case) -> Mapping[str, tuple[str, str]]:
    """Each question's DuckDB text, and its Athena text transpiled to DuckDB, where parameters are ``$name``."""
    key = repr((case.view, case.entity, case.source))
    if key not in _TEXTS:
        queries = expressions(case.view, case.entity, case.source)
        _TEXTS[key] = {
            question: (
                render(query, "duckdb"),
                sqlglot.transpile(render(query, "athena"), read="athena", write="duckdb")[0],
            )
            for question, query in queries.items()
        }
    return _TEXTS[key]


def both(case: Case, question: str, values: Values) -> list[tuple[Any, ...]]:
    """The rows of a question; both ways must give the same, in the same order. Table ``answer`` holds them after."""
    own, transpiled = texts(case)[question]
    named = {name: values[name] for name in parameters(own)}
    connection().execute(f"CREATE OR REPLACE TEMP TABLE answer AS {bind(own, values)}")
    first = connection().execute("FROM answer").fetchall()
    second = connection().execute(transpiled, named).fetchall()
    assert repr(first) == repr(second)  # repr, because NaN does not equal itself
    return first


def create_source(case: Case, rows: Sequence[Row]) -> None:
    """Make the source of these rows, in place of any other."""
    columns = source_columns(case.source)
    table = source_table(case.source.name)
    _create(table, source_types(case))
    if rows:
        marks = ", ".join("make_timestamp(?)" if dtype == "Timestamp" else "?" for dtype in columns.values())
        values = [[row[name] for name in columns] for row in dated(case, rows)]
        connection().executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def create_tables(case: Case) -> None:
    """Make an empty history and an empty staging table."""
    history = history_types(case)
    _create(history_table(case.view.name, case.view.version), history)
    _create(staging_table(case.view.name, case.view.version), history)


def _create(table: str, columns: Mapping[str, str]) -> None:
    listed = ", ".join(f'"{name}" {_duckdb_type(kind)}' for name, kind in columns.items())
    connection().execute(f"CREATE OR REPLACE TABLE {table} ({listed})")


def _duckdb_type(glue: str) -> str:
    if glue.startswith("array<"):
        return f"{glue.removeprefix('array<').removesuffix('>')}[]"
    return glue


def compute(case: Case, work: Work) -> list[Emitted]:
    """What a run emits, in the order in which it does; checks types, dates and order on the way."""
    return emitted_rows(case, both(case, "compute", parameters_of(work)))


def commit(case: Case, run: str = "run") -> None:
    """Append what ``compute`` found last to the history."""
    table = history_table(case.view.name, case.view.version)
    connection().execute(f"INSERT INTO {table} SELECT *, ? FROM answer", [run])


def stage(case: Case, run: str = "run") -> None:
    """Append what ``compute`` found last to the staging table."""
    table = staging_table(case.view.name, case.view.version)
    connection().execute(f"INSERT INTO {table} SELECT *, ? FROM answer", [run])


class BothWays:
    """The same as a ground for ``compute_runs``."""

    create_tables = staticmethod(create_tables)
    create_source = staticmethod(create_source)
    compute = staticmethod(compute)
    commit = staticmethod(commit)

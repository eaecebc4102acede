"""Runs a view's queries on DuckDB both ways: its own rendering, and Athena's, transpiled as the local cloud does."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import duckdb
import sqlglot

from asof.clock import to_ms
from asof.names import history_table, source_table, staging_table
from asof.sql.binding import bind, parameters
from asof.sql.dialects import render
from asof.sql.queries import expressions
from asof.sql.source_rows import source_columns
from asof.value_types import parse_type
from tests.support.window_oracle import Case, Emitted, Row, Work

Values = Mapping[str, int | str]

WIDE_DATES = {
    "from_date": "1960-01-01",
    "to_date": "2100-01-01",
    "source_from_date": "1960-01-01",
    "source_to_date": "2100-01-01",
}

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
    _create(table, {name: parse_type(dtype).glue for name, dtype in columns.items()})
    if rows:
        marks = ", ".join("make_timestamp(?)" if dtype == "Timestamp" else "?" for dtype in columns.values())
        dated = [{**row, "dt": _date(row[case.source.timestamp_field])} for row in rows]
        values = [[row[name] for name in columns] for row in dated]
        connection().executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def create_tables(case: Case) -> None:
    """Make an empty history and an empty staging table."""
    history = {
        **{key.name: parse_type(key.dtype).glue for key in case.entity.join_keys},
        **dict.fromkeys(("event_timestamp", "created_timestamp", "available_timestamp"), "timestamp"),
        **{feature.name: parse_type(feature.dtype).glue for feature in case.view.features},
        "event_date": "string",
        "run": "string",
    }
    _create(history_table(case.view.name, case.view.version), history)
    _create(staging_table(case.view.name, case.view.version), history)


def _create(table: str, columns: Mapping[str, str]) -> None:
    listed = ", ".join(f'"{name}" {_duckdb_type(kind)}' for name, kind in columns.items())
    connection().execute(f"CREATE OR REPLACE TABLE {table} ({listed})")


def _duckdb_type(glue: str) -> str:
    if glue.startswith("array<"):
        return f"{glue.removeprefix('array<').removesuffix('>')}[]"
    return glue


def _date(micros: int) -> str:
    return datetime.fromtimestamp(micros // 1_000_000, timezone.utc).date().isoformat()


def parameters_of(work: Work) -> dict[str, int | str]:
    """The parameters of a run; dates are as wide as can be."""
    return {
        "begin_ms": work.from_ms,
        "from_ms": work.from_ms,
        "to_ms": work.to_ms,
        "on_time_ms": work.on_time_ms,
        "now_ms": work.now_ms,
        "known_ms": work.known_ms,
        **WIDE_DATES,
    }


def compute(case: Case, work: Work) -> list[Emitted]:
    """What a run emits, in the order in which it does; checks types, dates and order on the way."""
    found = both(case, "compute", parameters_of(work))
    width = len(case.entity.join_keys)
    emitted = []
    for row in found:
        keys, (event, created, available), values = row[:width], row[width : width + 3], row[width + 3 : -1]
        assert row[-1] == event.date().isoformat()
        emitted.append(Emitted(keys, _ms(event), _ms(created), _ms(available), tuple(_plain(each) for each in values)))
    order = [(each.keys, each.event, each.created) for each in emitted]
    assert order == sorted(order)
    return emitted


def commit(case: Case, run: str = "run") -> None:
    """Append what ``compute`` found last to the history."""
    table = history_table(case.view.name, case.view.version)
    connection().execute(f"INSERT INTO {table} SELECT *, ? FROM answer", [run])


def stage(case: Case, run: str = "run") -> None:
    """Append what ``compute`` found last to the staging table."""
    table = staging_table(case.view.name, case.view.version)
    connection().execute(f"INSERT INTO {table} SELECT *, ? FROM answer", [run])


def _ms(value: datetime) -> int:
    instant = value.replace(tzinfo=timezone.utc)
    assert instant.microsecond % 1000 == 0, "a time finer than a millisecond"
    return to_ms(instant)


def _plain(value: Any) -> Any:
    return _ms(value) if isinstance(value, datetime) else value

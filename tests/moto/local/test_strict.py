"""A query that DuckDB would run and Athena would not must not run here."""

from __future__ import annotations

import pytest

from tests.moto.local.conftest import Asker
from tests.support.trino_documented import A_TABLE, LET_THROUGH, MISUSED_ALIASES, MIXED_COMPARISONS, UNKNOWN_FUNCTIONS


@pytest.fixture(scope="module")
def table(ask: Asker) -> str:
    """A table with a column of each kind."""
    name = ask.name()
    ask.done(f"CREATE TABLE {name} WITH (partitioned_by = ARRAY['event_date']) AS {A_TABLE}")
    return name


@pytest.mark.parametrize("call", UNKNOWN_FUNCTIONS)
def test_functions_that_trino_does_not_have(ask: Asker, table: str, call: str) -> None:
    """Whether DuckDB has them or sqlglot understands them."""
    assert ask.reason(f"SELECT {call} AS x FROM {table}").startswith("FUNCTION_NOT_FOUND")
    location = ask.location()
    unload = f"UNLOAD (SELECT {call} AS x FROM {table}) TO '{location}' WITH (format = 'PARQUET')"
    assert ask.reason(unload).startswith("FUNCTION_NOT_FOUND")


@pytest.mark.parametrize("unit", ["MILLISECOND", "WEEK", "QUARTER"])
def test_units_of_intervals(ask: Asker, table: str, unit: str) -> None:
    """Those of the SQL standard; ``date_add`` has more."""
    assert ask.reason(f"SELECT ts + INTERVAL '1' {unit} AS x FROM {table}").startswith("SYNTAX_ERROR")


@pytest.mark.parametrize("sql", MISUSED_ALIASES)
def test_an_alias_cannot_be_used_where_it_is_defined(ask: Asker, table: str, sql: str) -> None:
    """Except in ORDER BY."""
    assert ask.reason(sql.format(table)).startswith("COLUMN_NOT_FOUND")


@pytest.mark.parametrize("condition", MIXED_COMPARISONS)
def test_text_does_not_compare_with_anything_else(ask: Asker, table: str, condition: str) -> None:
    """DuckDB would convert."""
    assert ask.reason(f"SELECT n FROM {table} WHERE {condition}").startswith("TYPE_MISMATCH")


@pytest.mark.parametrize("sql", LET_THROUGH)
def test_what_athena_runs_is_let_through(ask: Asker, table: str, sql: str) -> None:
    """The checks are silent where all is well."""
    assert len(ask.rows(sql.format(table))) == 1


def test_statements_that_differ_in_literals_are_still_told_apart_by_their_tables(ask: Asker, table: str) -> None:
    """A check that was made for one table is not taken for another's."""
    other = ask.name()
    ask.done(f"CREATE TABLE {other} AS SELECT 'x' AS n")
    assert ask.rows(f"SELECT n FROM {table} WHERE n = 1") == [["1"]]
    assert ask.reason(f"SELECT n FROM {other} WHERE n = 1").startswith("TYPE_MISMATCH")
    ask.done(f"DROP TABLE {other}")
    ask.done(f"CREATE TABLE {other} AS SELECT 1 AS n")
    assert ask.rows(f"SELECT n FROM {other} WHERE n = 1") == [["1"]]

"""A query that DuckDB would run and Athena would not must not run here."""

from __future__ import annotations

import pytest

from tests.moto.local.conftest import Asker


@pytest.fixture(scope="module")
def table(ask: Asker) -> str:
    """A table with a column of each kind."""
    name = ask.name()
    ask.done(
        f"CREATE TABLE {name} WITH (partitioned_by = ARRAY['event_date']) AS SELECT BIGINT '1' AS n, 'x' AS s, "
        "TIMESTAMP '2020-01-01 00:00:00' AS ts, DATE '2020-01-01' AS d, true AS o, '2020-01-01' AS event_date"
    )
    return name


@pytest.mark.parametrize(
    "call",
    ["strftime(ts, '%Y')", "epoch_ms(1)", "list_sort(ARRAY[1])", "arg_max(n, n)", "nvl(n, 1)", "datediff('day', d, d)"],
)
def test_functions_that_trino_does_not_have(ask: Asker, table: str, call: str) -> None:
    """Whether DuckDB has them or sqlglot understands them."""
    assert ask.reason(f"SELECT {call} AS x FROM {table}").startswith("FUNCTION_NOT_FOUND")
    location = ask.location()
    unload = f"UNLOAD (SELECT {call} AS x FROM {table}) TO '{location}' WITH (format = 'PARQUET')"
    assert ask.reason(unload).startswith("FUNCTION_NOT_FOUND")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n AS a, a + 1 AS b FROM {}",
        "SELECT n AS a FROM {} WHERE a > 0",
        "SELECT n AS a, count(*) AS c FROM {} GROUP BY a",
        "SELECT count(*) AS c FROM {} HAVING c > 0",
        "WITH q AS (SELECT n FROM {}) SELECT n AS a FROM q WHERE a > 0",
    ],
)
def test_an_alias_cannot_be_used_where_it_is_defined(ask: Asker, table: str, sql: str) -> None:
    """Except in ORDER BY."""
    assert ask.reason(sql.format(table)).startswith("COLUMN_NOT_FOUND")


@pytest.mark.parametrize(
    "condition",
    [
        "event_date >= DATE '2020-01-01'",
        "ts > '2020-01-01'",
        "n = '1'",
        "n IN ('1')",
        "d BETWEEN '2020-01-01' AND '2020-01-02'",
        "o = 'true'",
        "CAST(n AS varchar) = n",
    ],
)
def test_text_does_not_compare_with_anything_else(ask: Asker, table: str, condition: str) -> None:
    """DuckDB would convert."""
    assert ask.reason(f"SELECT n FROM {table} WHERE {condition}").startswith("TYPE_MISMATCH")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n AS a FROM {} ORDER BY a",
        "SELECT n AS s, s AS n FROM {}",
        "SELECT n, count(*) FROM {} GROUP BY 1",
        "WITH q(a, b) AS (SELECT n, s FROM {}) SELECT a AS b, b AS a FROM q WHERE b = 'x'",
        "SELECT (SELECT max(b.n) FROM {0} AS b WHERE b.n = a.n) AS m FROM {0} AS a",
        "SELECT x AS y FROM {} CROSS JOIN UNNEST(ARRAY[n]) AS u (x)",
        "SELECT n FROM {} WHERE d = ts AND ts >= d AND n > 0.5 AND s < 'y' AND event_date <= '2020-01-01'",
        "SELECT n FROM {} WHERE date_trunc('day', ts) = ts AND CAST(event_date AS date) = d",
        "SELECT n FROM {} WHERE to_unixtime(ts) * 1000 > n AND CAST(to_unixtime(ts) * 1000 AS bigint) > n",
        "SELECT count(*) FILTER (WHERE n > 0), listagg(s, ',') WITHIN GROUP (ORDER BY n) FROM {}",
    ],
)
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

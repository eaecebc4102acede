"""What the local cloud's Athena answers and refuses, beside a real Trino."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from trino.exceptions import TrinoUserError

from asof.local.athena.errors import QueryFailedError
from tests.support.local_athena_engine import LocalAthenaEngine
from tests.support.trino_documented import (
    DOCUMENTED,
    GIVEN_ROWS,
    LET_THROUGH,
    MISUSED_ALIASES,
    MIXED_COMPARISONS,
    OTHER_PRECISIONS,
    UNKNOWN_FUNCTIONS,
)
from tests.support.trino_engine import TrinoEngine

REFUSED = (
    *(f"SELECT {call} AS x FROM {{}}" for call in UNKNOWN_FUNCTIONS),
    *MISUSED_ALIASES,
    *(f"SELECT n FROM {{}} WHERE {condition}" for condition in MIXED_COMPARISONS),
    "SELECT date_add('millisecond', n * 2147483648, ts) FROM {}",
    "SELECT date_add('day', 2147483648, ts) FROM {}",
    "SELECT ts - INTERVAL '1' MILLISECOND AS x FROM {}",
    "SELECT ts + INTERVAL '1' WEEK AS x FROM {}",
)


@pytest.fixture
def trino(opened: Callable[[str], Any]) -> TrinoEngine:
    """A real Trino."""
    engine: TrinoEngine = opened("trino")
    return engine


@pytest.fixture
def local(trino: TrinoEngine) -> LocalAthenaEngine:
    """The local Athena over the same catalogue."""
    return LocalAthenaEngine(trino.cloud)


@pytest.fixture
def table(trino: TrinoEngine) -> str:
    """A row with a column of each kind."""
    row = {
        "n": 1,
        "s": "x",
        "ts": datetime(2020, 1, 1),  # noqa: DTZ001  # the engines' timestamps have no zone
        "d": datetime(2020, 1, 1, tzinfo=timezone.utc).date(),
        "o": True,
        "event_date": "2020-01-01",
    }
    kinds = {"n": "bigint", "s": "string", "ts": "timestamp", "d": "date", "o": "boolean", "event_date": "string"}
    trino.create("a_table", kinds, [row])
    return "a_table"


def plain(value: Any) -> Any:
    """A value as both can spell it: instants in UTC, rows as tuples."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc).replace(tzinfo=None)
    if isinstance(value, dict):
        return tuple(map(plain, value.values()))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


@pytest.mark.parametrize("expression", [each for each, _ in DOCUMENTED])
def test_documented_expressions_mean_the_same(trino: TrinoEngine, local: LocalAthenaEngine, expression: str) -> None:
    """The same value of the same type."""
    sql = f"SELECT {expression} AS x FROM ({GIVEN_ROWS})"
    ((ours,),), ((theirs,),) = local.query(sql)[1], trino.query(sql)[1]
    assert repr(plain(ours)) == repr(plain(theirs))


@pytest.mark.xfail(strict=True, reason="the local Athena knows timestamps of three digits only")
@pytest.mark.parametrize("expression", OTHER_PRECISIONS)
def test_literals_of_other_precisions(trino: TrinoEngine, local: LocalAthenaEngine, expression: str) -> None:
    """``TIMESTAMP '2020-01-02 03:04:05'`` is a timestamp(0), and what is added to it is rounded to seconds."""
    sql = f"SELECT {expression} AS x"
    assert repr(plain(local.query(sql)[1])) == repr(plain(trino.query(sql)[1]))


@pytest.mark.parametrize("sql", LET_THROUGH)
def test_what_is_let_through_here_runs_there(
    trino: TrinoEngine, local: LocalAthenaEngine, table: str, sql: str
) -> None:
    """And gives the same rows."""
    assert list(map(plain, local.query(sql.format(table))[1])) == list(map(plain, trino.query(sql.format(table))[1]))


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused_here_is_refused_there(
    trino: TrinoEngine, local: LocalAthenaEngine, table: str, sql: str
) -> None:
    """A query that runs on the local cloud must run on Athena, and the other way round as far as this goes."""
    with pytest.raises(QueryFailedError):
        local.query(sql.format(table))
    with pytest.raises(TrinoUserError):
        trino.query(sql.format(table))

"""Generated problems: every rendering answers as the naive oracle does, row for row and in the same order."""

from __future__ import annotations

import random
from typing import Any, Literal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.pit_case import Case, CaseView, entity
from tests.support.pit_duckdb import check
from tests.support.pit_strategies import BASE_MS, cases

# The connection is shared by all examples of a module; each example replaces its tables.
_SHARED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=_SHARED)
@given(case=cases())
def test_every_rendering_answers_as_the_oracle(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Canonical, transpiled from Athena, and native: zero mismatches."""
    check(case, connection)


@pytest.mark.parametrize(("as_of", "keys"), [("served", 3), ("served", 400), ("event", 400)])
@pytest.mark.parametrize("limits", [{}, {"BATCH_ROWS": 50}, {"GREATEST_CODE": 1, "BATCH_ROWS": 50}], ids=str)
def test_thousands_of_rows_answer_as_the_oracle(
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    as_of: Literal["served", "event"],
    keys: int,
    limits: dict[str, int],
) -> None:
    """Several of DuckDB's vectors, many ties and late rows; also as if there were too many keys for plain codes.

    Small batches are as a long history: rows that were the newest of their bucket are outdone by later batches.
    """
    for name, value in limits.items():
        monkeypatch.setattr(f"asof.offline.duckdb_point_in_time.{name}", value)
    chance = random.Random(keys)
    views = [
        CaseView(
            f"view{i}",
            entity("user", user_id="Int64"),
            {"f0": "Float64", "f1": "String"},
            [_feature_row(chance, keys, publish_delay_ms=i) for _ in range(2_500)],
            {f"out{i}": "f0", f"other{i}": "f1"},
            ttl_ms=(None, 200)[i],
            publish_delay_ms=i,
            defaults={"f0": -1.0},
        )
        for i in range(2)
    ]
    entity_rows: list[dict[str, Any]] = [
        {"row_id": i, "user_id": _key(chance, keys), "label": BASE_MS + chance.randrange(1_100), "note": str(i)}
        for i in range(300)
    ]
    check(Case(entity_rows, views, as_of, pruned=True), connection)


def _feature_row(chance: random.Random, keys: int, *, publish_delay_ms: int) -> dict[str, Any]:
    event = BASE_MS + chance.randrange(1_000)
    created = chance.choice([None, event, event + chance.randrange(300)])
    return {
        "user_id": _key(chance, keys),
        "event": event,
        "created": created,
        "available": max(event, created or event) + publish_delay_ms,
        "f0": chance.choice([None, 0.5, chance.random()]),
        "f1": chance.choice([None, "a", "b"]),
    }


def _key(chance: random.Random, keys: int) -> int:
    """A third of all rows have key 0."""
    return chance.choice([0, chance.randrange(keys), chance.randrange(keys)])


@pytest.mark.parametrize("as_of", ["served", "event"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 10, 17])
@pytest.mark.parametrize("repeat", [1, 3])
def test_every_label_of_a_key_sees_its_own_rows(
    connection: duckdb.DuckDBPyConnection, as_of: Literal["served", "event"], count: int, repeat: int
) -> None:
    """As many labels as fill pages of sqrt(n), or one more or less; a row before, at and after each, newest or late.

    Two users have the same rows, so that the last label of one and the first of the next may see the same times.
    """
    moments = range(BASE_MS - 2, BASE_MS + 2 * count + 2)
    rows = [
        {"user_id": user, "event": at - late, "created": at, "available": at, "score": at - BASE_MS + user + late / 8}
        for user in (1, 2)
        for at in moments
        for late in (0, 3)
    ]
    view = CaseView("a", entity("user", user_id="Int64"), {"score": "Float64"}, rows[::-1], {"a__score": "score"})
    labels = [BASE_MS + 2 * (i // repeat) for i in range(count)]
    asked = [(user, label) for label in labels for user in (1, 2, 3, None)]
    random.Random(count).shuffle(asked)
    entity_rows = [{"row_id": i, "user_id": user, "label": at, "note": None} for i, (user, at) in enumerate(asked)]
    check(Case(entity_rows, [view], as_of), connection)

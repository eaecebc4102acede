"""The point-in-time join answers as the naive oracle does, on every engine: rows, their order and each value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from asof.sql.dialects import render
from asof.sql.point_in_time import point_in_time
from tests.support.asked_engines import sized
from tests.support.engine import Engine
from tests.support.engine_gaps import ROUNDED, expect_gap, finest_us
from tests.support.pit_bulk import bulk_case
from tests.support.pit_case import Case, CaseView, answered, differing, entity
from tests.support.pit_strategies import BASE_MS, cases
from tests.support.tally import Tally

# The engine is shared by all examples; each replaces its tables.
_SHARED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


def check(case: Case, engine: Engine) -> int:
    """Fails where rows, their order or one value differ from the oracle's; gives how many values were compared."""
    for table in case.tables():
        engine.create(table.name, table.columns, table.rows)
    columns, rows = engine.query(render(point_in_time(case.request()), engine.dialect))
    expected = case.expected()
    wrong = differing(answered(case, columns, rows), expected)
    assert wrong is None, wrong
    return len(columns) * len(expected)


def test_generated_problems(engine: Engine, tally: Tally) -> None:
    """Few keys, instants and values of every type, so that all collide: ties, NULL, NaN, edges of ttl, duplicates."""

    @settings(max_examples=sized(15, 70), deadline=None, derandomize=True, database=None, suppress_health_check=_SHARED)
    @given(case=cases(finest_us(engine.name)))
    def run(case: Case) -> None:
        tally.add(engine.name, check(case, engine))

    run()


@pytest.mark.parametrize("seed", range(sized(2, 60)))
def test_thousands_of_rows(engine: Engine, tally: Tally, seed: int) -> None:
    """The seed makes the problem: as many rows per view as there are entity rows, over milliseconds or days."""
    tally.add(engine.name, check(bulk_case(seed, sized(300, 1_500), finest_us(engine.name)), engine))


@pytest.mark.parametrize("micros", [0, 1, 499, 500, 999])
def test_labels_finer_than_the_clock_are_floored(request: pytest.FixtureRequest, engine: Engine, micros: int) -> None:
    """A label anywhere in a millisecond sees what became visible in it, and nothing of the next."""
    if micros >= 500:
        expect_gap(request, engine, dict.fromkeys(("trino", "local_athena"), ROUNDED))
    rows = [
        {"user_id": 1, "event": at, "created": None, "available": at, "score": score}
        for at, score in ((BASE_MS - 1, 0.25), (BASE_MS, 0.5), (BASE_MS + 1, 0.75))
    ]
    view = CaseView("a", entity("user", user_id="Int64"), {"score": "Float64"}, rows, {"a__score": "score"})
    check(Case([{"row_id": 0, "user_id": 1, "label": BASE_MS, "note": None}], [view], label_micros=micros), engine)


@pytest.mark.parametrize("kind", ["Float64", "Array<Float64>"])
def test_nan_is_the_greatest_of_tied_values(engine: Engine, kind: str) -> None:
    """Rows of equal times are told apart by their values: NaN before any number, any number before NULL."""
    numbers = [0.5, float("nan"), float("inf")]
    values: list[Any] = [None, *(numbers if kind == "Float64" else [[each] for each in numbers])]
    rows = [
        {"user_id": user, "event": BASE_MS, "created": BASE_MS, "available": BASE_MS, "score": score}
        for user in (1, 2)
        for score in (values if user == 1 else values[:2])
    ]
    view = CaseView("a", entity("user", user_id="Int64"), {"score": kind}, rows, {"a__score": "score"})
    asked = [{"row_id": user, "user_id": user, "label": BASE_MS, "note": None} for user in (1, 2)]
    check(Case(asked, [view]), engine)

"""Numbers that go wrong in a careless sum, on every engine: cancellation, NaN, infinities, great whole numbers."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from tests.support.compute_cases import CARRIER, START_MS, windows
from tests.support.compute_ground import EngineGround
from tests.support.engine import Engine
from tests.support.window_oracle import Work

RUN = Work(START_MS - 10, START_MS + 200, START_MS - 10, START_MS + 200, START_MS + 200)


def values_at(engine: Engine, column: str, functions: tuple[str, ...], values: dict[int, Any], at: int) -> list[Any]:
    """What windows of 30 ms over one entity's events, by milliseconds since START_MS, give at an instant."""
    case = windows(CARRIER, *((each, column, 30) for each in functions), created=False, step=10)
    ground = EngineGround(engine)
    ground.create_tables(case)
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day", "made"))
    events = [
        {**empty, "carrier": "AA", "happened": (START_MS + each) * 1000, column: value}
        for each, value in values.items()
    ]
    ground.create_source(case, events)
    return list(next(each.values for each in ground.compute(case, RUN) if each.event == START_MS + at))


@pytest.mark.parametrize("huge", [1e300, math.inf, math.nan, -math.inf])
def test_what_has_left_a_window_leaves_no_trace(engine: Engine, huge: float) -> None:
    """A sum that adds and subtracts would end at 0, or stay NaN for ever."""
    values = {0: huge, 10: 0.5, 20: 1.0, 30: 1.5}
    assert values_at(engine, "x", ("sum", "mean", "max", "stddev"), values, 30) == [3.0, 1.0, 1.5, 0.5]


def test_nan_is_never_preferred_to_a_number(engine: Engine) -> None:
    """Minimum and maximum are NaN only where there is nothing else; sums and means are NaN where anything is."""
    functions = ("min", "max", "sum", "mean", "stddev", "count_distinct", "last", "first")
    low, high, *rest = values_at(engine, "x", functions, {0: math.nan, 5: 2.0, 10: 1.0}, 10)
    assert (low, high) == (1.0, 2.0)
    assert all(math.isnan(each) for each in rest[:3])
    assert rest[3:5] == [3, 1.0]
    assert math.isnan(rest[5])
    assert math.isnan(values_at(engine, "x", ("max",), {0: math.nan, 10: math.nan}, 10)[0])


def test_whole_numbers_are_summed_exactly(engine: Engine) -> None:
    """A double would lose the ones."""
    assert values_at(engine, "d", ("sum", "mean"), {0: 2**62, 5: 1, 10: -(2**62), 15: 2}, 20) == [3, 0.75]
    assert values_at(engine, "d", ("sum",), {0: -(2**53) - 1, 10: -1}, 10) == [-(2**53) - 2]


def test_equal_values_have_no_deviation(engine: Engine) -> None:
    """0.1 added ten times is not 1.0, so the naive formula would give a trace of a deviation."""
    assert values_at(engine, "x", ("stddev",), dict.fromkeys(range(1, 30), 0.1), 30) == [0.0]


def test_deviation_of_values_far_from_zero(engine: Engine) -> None:
    """Squares of such values have no digits left for their difference; their means have half of them."""
    values = {at: 1e9 + (at % 3) for at in range(1, 30)}
    (found,) = values_at(engine, "x", ("stddev",), {**values, -5: -1e9}, 30)
    assert math.isclose(found, statistics.stdev(values.values()), rel_tol=1e-7)

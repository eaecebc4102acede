"""Numbers that go wrong in a careless sum: cancellation, NaN, infinities, whole numbers beyond a double, rounding."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest

from tests.duckdb.compute.harness import commit, compute, connection, create_source, create_tables
from tests.support.compute_cases import CARRIER, START_MS, windows
from tests.support.window_oracle import Case, Work

RUN = Work(START_MS - 10, START_MS + 200, START_MS - 10, START_MS + 200, START_MS + 200)


def events(column: str, values: dict[int, Any]) -> list[dict[str, Any]]:
    """One event of one entity per instant, given in milliseconds since START_MS."""
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day", "made"))
    return [
        {**empty, "carrier": "AA", "happened": (START_MS + at) * 1000, column: value} for at, value in values.items()
    ]


def value_at(case: Case, column: str, values: dict[int, Any], at: int) -> tuple[Any, ...]:
    """The row emitted at START_MS + at."""
    create_tables(case)
    create_source(case, events(column, values))
    return next(each.values for each in compute(case, RUN) if each.event == START_MS + at)


def case_of(column: str, *functions: str, window: int = 30) -> Case:
    """An aggregation view of one column, on a grid of 10 ms."""
    return windows(CARRIER, *((each, column, window) for each in functions), created=False, step=10)


@pytest.mark.parametrize("huge", [1e300, math.inf, math.nan, -math.inf])
def test_what_has_left_a_window_leaves_no_trace(huge: float) -> None:
    """A sum that adds and subtracts would end at 0, or stay NaN for ever."""
    values = value_at(case_of("x", "sum", "mean", "max", "stddev"), "x", {0: huge, 10: 0.5, 20: 1.0, 30: 1.5}, 30)
    assert values == (3.0, 1.0, 1.5, 0.5)


def test_nan_is_never_preferred_to_a_number() -> None:
    """Minimum and maximum are NaN only where there is nothing else; sums and means are NaN where anything is."""
    case = case_of("x", "min", "max", "sum", "mean", "stddev", "count_distinct", "last", "first")
    low, high, *rest = value_at(case, "x", {0: math.nan, 5: 2.0, 10: 1.0}, 10)
    assert (low, high) == (1.0, 2.0)
    assert all(math.isnan(each) for each in rest[:3])
    assert rest[3:5] == [3, 1.0]
    assert math.isnan(rest[5])
    assert math.isnan(value_at(case, "x", {0: math.nan, 10: math.nan}, 10)[1])


def test_whole_numbers_are_summed_exactly() -> None:
    """A double would lose the ones."""
    case = case_of("d", "sum", "mean")
    assert value_at(case, "d", {0: 2**62, 5: 1, 10: -(2**62), 15: 2}, 20) == (3, 0.75)
    assert value_at(case, "d", {0: -(2**53) - 1, 10: -1}, 10) == (-(2**53) - 2, -(2.0**52) - 1)


def test_equal_values_have_no_deviation() -> None:
    """0.1 added ten times is not 1.0, so the naive formula would give a trace of a deviation."""
    assert value_at(case_of("x", "stddev"), "x", dict.fromkeys(range(1, 30), 0.1), 30) == (0.0,)


def test_deviation_of_values_far_from_zero() -> None:
    """Squares of such values have no digits left for their difference; their means have half of them."""
    values = {at: 1e9 + (at % 3) for at in range(1, 30)}
    found = value_at(case_of("x", "stddev"), "x", {**values, -5: -1e9}, 30)[0]
    assert math.isclose(found, statistics.stdev(values.values()), rel_tol=1e-7)


def test_doubles_added_in_another_order_are_no_difference() -> None:
    """Runs that begin at different times may add in different orders; the last digits must not become corrections."""
    case = case_of("x", "sum", "mean", "stddev", window=70)
    numbers = random.Random(1)
    values = {at: numbers.uniform(-1, 1) * 10 ** numbers.randint(-3, 6) for at in range(190)}
    create_tables(case)
    create_source(case, events("x", values))
    assert compute(case, RUN)
    commit(case)
    for start in range(0, 200, 30):
        assert compute(case, Work(START_MS + start, RUN.to_ms, RUN.to_ms, RUN.now_ms, RUN.known_ms)) == []


@pytest.mark.parametrize(("factor", "corrected"), [(1 + 1e-14, False), (1 - 1e-14, False), (1 + 1e-9, True)])
def test_only_differences_beyond_rounding_are_corrected(factor: float, corrected: bool) -> None:
    """A stored value that differs in its last digits stands; one that differs by more does not."""
    case = case_of("x", "sum", "mean")
    create_tables(case)
    create_source(case, events("x", {0: 0.1, 10: 1e6}))
    first = compute(case, RUN)
    commit(case)
    for feature in case.view.features:
        connection().execute(f"UPDATE busy_v2 SET {feature.name} = {feature.name} * {factor!r}")
    assert (compute(case, RUN) != []) == corrected
    assert first


@pytest.mark.parametrize("stored", ["'inf'", "'-inf'", "'nan'", "NULL", "0"])
def test_nothing_is_close_to_an_infinity(stored: str) -> None:
    """Neither to NaN, NULL or 0."""
    case = case_of("x", "sum", "mean")
    create_tables(case)
    create_source(case, events("x", {0: 0.5}))
    compute(case, RUN)
    commit(case)
    connection().execute(f"UPDATE busy_v2 SET sum_x_0 = {stored}")
    assert len(compute(case, RUN)) >= 1


def test_defaults_stand_where_a_window_is_empty() -> None:
    """Where the windows give no value the feature's default is the value; a count is 0."""
    case = windows(
        CARRIER,
        ("sum", "x", 10),
        ("count", "x", 10),
        ("last", "s", 10),
        created=False,
        step=10,
        defaults={"sum": 7.5, "last": "it's"},
    )
    assert value_at(case, "x", {0: 1.0}, 10) == (7.5, 0, "it's")


def test_sums_of_all_windows_together_may_exceed_what_one_may() -> None:
    """Whole numbers are added up over all cells, and a window is a difference of such sums: it fits all the same."""
    values = dict.fromkeys((0, 40, 80, 120), 2**62)
    assert value_at(case_of("d", "sum", "count"), "d", values, 120) == (2**62, 1)
    assert value_at(case_of("d", "sum", "count"), "d", values, 150) == (None, 0)

"""Passthrough and SQL views against the oracle, and the rules by which a version of a row becomes a correction."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duckdb.compute.harness import BothWays, commit, compute, create_source, create_tables
from tests.support.compute_cases import COPIED, START_MS, rows
from tests.support.compute_runs import EXAMPLES, run_all, schedule
from tests.support.window_oracle import Emitted, Work, run_rows


def assert_unique(history: list[Emitted]) -> None:
    """The history's rows are unique on keys, event and created time."""
    places = [(each.keys, each.event, each.created) for each in history]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("name", COPIED)
def test_runs_emit_what_the_oracle_says(name: str) -> None:
    """Rows, times and values of each run, however late rows and versions come; reruns are idle; no row twice."""
    case = COPIED[name]

    @EXAMPLES
    @given(rows(case), st.integers(3, 16), st.integers(1, 12), st.sampled_from([0, 0, 1, 3, 8]))
    def check(table: list[dict[str, Any]], first: int, second: int, look_back: int) -> None:
        runs = schedule(case, first=first, second=second, look_back=look_back)
        assert_unique(run_all(BothWays(), case, [(table, run) for run in runs], run_rows))

    check()


@pytest.mark.parametrize("name", COPIED)
def test_a_source_that_is_changed_in_place_is_followed(name: str) -> None:
    """Two unrelated states of a source: the run over the second corrects what differs, and its repetition is idle."""
    case = COPIED[name]

    @EXAMPLES
    @given(rows(case, max_size=8), rows(case, max_size=8))
    def check(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        *_, run = schedule(case, first=16, second=1, look_back=0)
        assert_unique(run_all(BothWays(), case, [(before, run), (after, run)], run_rows))

    check()


def row(made: int, x: float | None, s: str | None = "s") -> dict[str, Any]:
    """A version, made some milliseconds after the event at START_MS, of one row."""
    return {
        "origin": "JFK",
        "no": 1,
        "kind": None,
        "x": x,
        "d": None,
        "s": s,
        "seen_at": None,
        "flag": None,
        "day": None,
        "happened": START_MS * 1000,
        "made": (START_MS + made) * 1000,
    }


def emitted(*versions: dict[str, Any], now: int) -> list[tuple[int, int, float | None]]:
    """What a run at START_MS + now adds over these versions: created and available since START_MS, and ``x``."""
    case = COPIED["with created"]
    create_source(case, versions)
    run = Work(START_MS - 7, START_MS + 13, START_MS - 7, START_MS + now, START_MS + now - 4)
    found = compute(case, run)
    commit(case)
    return [(each.created - START_MS, each.available - START_MS, each.values[0]) for each in found]


def test_versions_of_one_row() -> None:
    """A later version is a row of its own; an older one that comes after it is superseded; a change in place is new."""
    create_tables(COPIED["with created"])
    assert emitted(row(1, 1.0), now=20) == [(1, 5, 1.0)]
    assert emitted(row(1, 1.0), row(9, 2.0), now=30) == [(9, 30, 2.0)]
    assert emitted(row(5, 3.0), row(9, 2.0), now=40) == []
    assert emitted(row(9, 2.5), now=50) == [(50, 50, 2.5)]
    assert emitted(row(9, 2.5), now=60) == []


def test_a_tie_goes_to_the_greater_values() -> None:
    """Rows of the same keys, event and created time: the greatest values win, together or one after the other."""
    create_tables(COPIED["with created"])
    assert emitted(row(1, 1.0), row(1, 7.0), row(1, None), now=20) == [(1, 5, 7.0)]
    assert emitted(row(1, 6.0), now=30) == []
    assert emitted(row(1, float("inf")), now=40) == [(40, 40, float("inf"))]


def test_two_corrections_within_a_millisecond_stay_in_order() -> None:
    """A correction is created later than what it corrects, even where the clock has not moved."""
    create_tables(COPIED["with created"])
    assert emitted(row(1, 1.0), now=20) == [(1, 5, 1.0)]
    assert emitted(row(1, 2.0), now=20) == [(20, 20, 2.0)]
    assert emitted(row(1, 0.5), now=20) == [(21, 20, 0.5)]

"""Aggregation views against the oracle: every run, on both ways to DuckDB, to the last digit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duckdb.compute.harness import BothWays
from tests.support.compute_cases import WINDOWS, rows
from tests.support.compute_runs import EXAMPLES, run_all, schedule
from tests.support.window_oracle import (
    Case,
    Emitted,
    Work,
    carried_forward,
    dense,
    grid_times,
    known_events,
    run_windows,
    same_values,
)


def assert_answers_are_dense(case: Case, table: list[dict[str, Any]], history: list[Emitted], work: Work) -> None:
    """The newest row carried forward equals the windows computed at every grid time for every entity."""
    events = known_events(case, table, work.known_ms)
    for keys in {each.keys for each in events}:
        earliest = min(each.event for each in events if each.keys == keys)
        for at in grid_times(case, work.from_ms, work.to_ms):
            answer = carried_forward(history, keys, at)
            if at < earliest:
                assert answer is None
            else:
                assert answer is not None
                assert same_values(case, answer.values, dense(case, events, keys, at)), (keys, at)


@pytest.mark.parametrize("name", WINDOWS)
def test_runs_emit_what_the_oracle_says_and_answer_as_if_there_was_a_row_at_every_grid_time(name: str) -> None:
    """Rows, times and values of each run, corrections by late rows, idle reruns, and change-only equal to dense."""
    case = WINDOWS[name]

    @EXAMPLES
    @given(rows(case), st.integers(3, 16), st.integers(1, 12), st.sampled_from([0, 0, 1, 3, 8]))
    def check(table: list[dict[str, Any]], first: int, second: int, look_back: int) -> None:
        runs = schedule(case, first=first, second=second, look_back=look_back)
        history = run_all(BothWays(), case, [(table, run) for run in runs], run_windows)
        assert_answers_are_dense(case, table, history, runs[-1])

    check()

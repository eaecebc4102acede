"""What runs emit, on every engine: the rows, times and values that the naive oracles say, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.asked_engines import sized
from tests.support.compute_bulk import bulk_rows, by_entity
from tests.support.compute_cases import COPIED, START_MS, WINDOWS, rows
from tests.support.compute_ground import EngineGround
from tests.support.compute_runs import EXAMPLES, Oracle, run_all, schedule
from tests.support.engine import Engine
from tests.support.engine_gaps import ROUNDED, expect_gap, finest_us
from tests.support.tally import Tally
from tests.support.window_oracle import Case, Row, Work, run_rows, run_windows

CASES = {**WINDOWS, **COPIED}


def oracle_of(case: Case) -> Oracle:
    """The oracle of the view's kind."""
    return run_windows if case.view.kind == "aggregation" else run_rows


def check(engine: Engine, case: Case, runs: Sequence[tuple[Sequence[Row], Work]], oracle: Oracle) -> int:
    """Runs that follow each other, each compared; gives how many values were."""
    ground = EngineGround(engine)
    run_all(ground, case, runs, oracle)
    return ground.compared


@pytest.mark.parametrize("name", CASES)
def test_runs_emit_what_the_oracle_says(engine: Engine, tally: Tally, name: str) -> None:
    """First runs, runs that look back at late rows, corrections long after, and a repetition that emits nothing."""
    case = CASES[name]

    @settings(EXAMPLES, max_examples=sized(2, 8))
    @given(rows(case, 16, finest_us(engine.name)), st.integers(3, 16), st.integers(1, 12), st.sampled_from([0, 1, 8]))
    def run(table: list[dict[str, Any]], first: int, second: int, look_back: int) -> None:
        work = schedule(case, first=first, second=second, look_back=look_back)
        tally.add(engine.name, check(engine, case, [(table, each) for each in work], oracle_of(case)))

    run()


@pytest.mark.parametrize("name", COPIED)
def test_a_source_that_is_changed_in_place_is_followed(engine: Engine, tally: Tally, name: str) -> None:
    """Two unrelated states of a source: the run over the second corrects what differs."""
    case = COPIED[name]
    states = rows(case, 8, finest_us(engine.name))

    @settings(EXAMPLES, max_examples=sized(2, 6))
    @given(states, states)
    def run(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        *_, work = schedule(case, first=16, second=1, look_back=0)
        tally.add(engine.name, check(engine, case, [(before, work), (after, work)], run_rows))

    run()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(sized(1, 4)))
def test_thousands_of_events(engine: Engine, tally: Tally, name: str, seed: int) -> None:
    """The seed makes the source; two runs that follow each other, and one over everything."""
    case = CASES[name]
    table = bulk_rows(case, seed, sized(20, 60), finest_us(engine.name))
    work = schedule(case, first=12, second=8, look_back=3)
    tally.add(engine.name, check(engine, case, [(table, each) for each in work], by_entity(oracle_of(case))))


@pytest.mark.parametrize("micros", [1, 499, 500, 999])
@pytest.mark.parametrize("name", ["values", "with created"])
def test_source_times_finer_than_the_clock_are_floored(
    request: pytest.FixtureRequest, engine: Engine, name: str, micros: int
) -> None:
    """An event late in a millisecond is of that millisecond, on the grid too."""
    if micros >= 500:
        expect_gap(request, engine, dict.fromkeys(("trino", "local_athena"), ROUNDED))
    case = CASES[name]
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day"))
    happened = START_MS * 1000 + micros
    row = {**empty, "origin": "a", "no": 1, "x": 0.5, "happened": happened, "made": happened}
    work = Work(START_MS - 7, START_MS + 13, START_MS - 7, START_MS + 50, START_MS + 46)
    check(engine, case, [([row], work)], oracle_of(case))

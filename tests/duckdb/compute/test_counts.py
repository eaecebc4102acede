"""What a run could not use: rows without a key, and rows that came too late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duckdb.compute.harness import both, create_source, create_tables, parameters_of
from tests.support.compute_cases import COPIED, START_MS, WINDOWS, rows
from tests.support.compute_questions import too_late, without_key
from tests.support.compute_runs import EXAMPLES, schedule
from tests.support.window_oracle import Work

CASES = {name: {**WINDOWS, **COPIED}[name] for name in ("values", "shorter than a step", "with created")}
"""With and without a created column; the rows of a SQL view are counted as those of any other."""


@pytest.mark.parametrize("name", CASES)
def test_rows_without_a_key_are_counted_and_set_aside(name: str) -> None:
    """The count and the rows themselves are those of the run's interval that lack a key and exist for the run."""
    case = CASES[name]

    @EXAMPLES
    @given(rows(case), st.integers(3, 16))
    def check(table: list[dict[str, Any]], first: int) -> None:
        work = schedule(case, first=first, second=1, look_back=0)[0]
        create_tables(case)
        create_source(case, table)
        lost = without_key(case, table, work)
        assert both(case, "counts", parameters_of(work))[0][0] == len(lost)
        assert len(both(case, "quarantine", parameters_of(work))) == len(lost)

    check()


@pytest.mark.parametrize("name", CASES)
def test_rows_that_came_later_than_the_lateness_are_counted(name: str) -> None:
    """They became known at an on-time grid time, for event times before everything the run computes anew."""
    case = CASES[name]

    @EXAMPLES
    @given(rows(case), st.integers(3, 8), st.integers(1, 12), st.integers(0, 2))
    def check(table: list[dict[str, Any]], first: int, second: int, look_back: int) -> None:
        work = schedule(case, first=first, second=second, look_back=look_back)[1]
        create_tables(case)
        create_source(case, table)
        assert both(case, "counts", parameters_of(work))[0][1] == len(too_late(case, table, work))

    check()


def test_quarantine_holds_every_declared_column_as_it_is() -> None:
    """The row can be mended and put back: nothing is cast, floored or renamed."""
    case = COPIED["with created"]
    create_tables(case)
    row = dict.fromkeys(("kind", "d", "flag", "day", "made", "no")) | {"origin": "a#b", "x": 1.5, "s": "it's"}
    create_source(case, [{**row, "seen_at": 1, "happened": START_MS * 1000 + 999}])
    work = Work(START_MS - 7, START_MS + 13, START_MS, START_MS + 50, START_MS + 46)
    (found,) = both(case, "quarantine", parameters_of(work))
    assert found[:3] == ("a#b", None, None)
    assert str(found[9]) == "2024-02-29 23:59:59.900999"

"""The benchmarks' harness: wrong answers are counted, limits are kept, and a failure is a line of a table."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.support.harness import Contestant, Limits, Outcome, Run, contest

ROWS = [1, 2, 3]


def named(function: str) -> Contestant:
    """A contestant of this folder."""
    return Contestant(function, f"tests.unit.benchmarks.contestants:{function}")


def outcome(function: str, limits: Limits, runs: int = 1) -> Outcome:
    """What becomes of one contestant whose right answer would be three other rows, of which the last is the same."""

    def wrong_rows(answer: Path) -> int:
        found = pq.read_table(answer)["row"].to_pylist()
        return sum(left != right for left, right in zip(found, [0, 0, 3], strict=True))

    return contest([named(function)], {"rows": ROWS}, wrong_rows, runs, limits)[0]


def test_wrong_rows_are_counted_and_a_wrong_contestant_is_measured_once() -> None:
    found = outcome("answering", Limits(), runs=3)
    assert (found.wrong, found.failure, len(found.runs)) == (2, None, 1)
    seconds = found.value("seconds")
    assert seconds is not None
    assert 0 < seconds.low <= seconds.median <= seconds.high


def test_runs_are_measured_as_often_as_asked_but_of_the_hopelessly_slow_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is the fastest right answer: a wrong one may be as fast as it likes."""
    seconds = {"right": 1.0, "slow": 20.5, "slower than wrong": 19.5, "wrong": 0.1}

    def run_once(each: Contestant, _task: object, _limits: Limits, answer: Path | None = None) -> Run:
        if answer is not None:
            answer.write_text(each.name)
        return Run(seconds[each.name], 0.0, 0.0, 0.0)

    monkeypatch.setattr("benchmarks.support.harness.run_once", run_once)
    found = contest([named(each) for each in seconds], {}, lambda answer: answer.read_text() == "wrong", 3, Limits())
    assert {each.contestant: len(each.runs) for each in found} == {
        "right": 3,
        "slow": 1,
        "slower than wrong": 3,
        "wrong": 1,
    }


def test_a_run_that_takes_too_long_is_ended_and_said_to_have() -> None:
    assert outcome("lasting", Limits(seconds=1)) == Outcome("lasting", failure="over 1 s")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is watched through /proc")
def test_a_run_that_takes_too_much_memory_is_ended_and_said_to_have() -> None:
    found = outcome("growing", Limits(seconds=60, megabytes=300))
    assert found == Outcome("growing", failure="out of memory at 300 MB")


def test_a_run_that_fails_is_said_to_have_with_its_error() -> None:
    assert outcome("failing", Limits()).failure == "failed: LookupError: nothing there"

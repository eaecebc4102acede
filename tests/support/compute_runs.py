"""Runs that follow each other over one source, each compared with the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hypothesis import HealthCheck, settings

from tests.support.compute_cases import START_MS
from tests.support.window_oracle import Case, Emitted, Row, Work, same_values


class Ground(Protocol):
    """Where a view's runs happen: tables, and the query that computes."""

    def create_tables(self, case: Case) -> None:
        """Make an empty history and an empty staging table."""
        ...

    def create_source(self, case: Case, rows: Sequence[Row]) -> None:
        """Make the source of these rows, in place of any other."""
        ...

    def compute(self, case: Case, work: Work) -> list[Emitted]:
        """What a run emits, in the order in which it does."""
        ...

    def commit(self, case: Case) -> None:
        """Append what ``compute`` found last to the history."""
        ...


Oracle = Callable[[Case, Sequence[Row], Sequence[Emitted], Work], list[Emitted]]

EXAMPLES = settings(
    max_examples=18,
    deadline=None,
    derandomize=True,  # the same examples each time, so that a failure is everybody's
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def assert_same(case: Case, found: list[Emitted], expected: list[Emitted]) -> None:
    """The same rows: keys, all three times, and values."""
    assert len(found) == len(expected)
    by_place = {(each.keys, each.event, each.created): each for each in expected}
    for each in found:
        other = by_place[each.keys, each.event, each.created]
        assert each.available == other.available, (each, other)
        assert same_values(case, each.values, other.values), (each, other)


def run_all(ground: Ground, case: Case, work: Sequence[tuple[Sequence[Row], Work]], oracle: Oracle) -> list[Emitted]:
    """Each run, over the source as it is then, compared and committed; the history they leave. The last is repeated."""
    ground.create_tables(case)
    history: list[Emitted] = []
    for rows, run in work:
        ground.create_source(case, rows)
        found = ground.compute(case, run)
        assert_same(case, found, oracle(case, rows, history, run))
        ground.commit(case)
        history += found
    assert ground.compute(case, work[-1][1]) == [], "a rerun over the same data"
    return history


def schedule(case: Case, *, first: int, second: int, look_back: int) -> list[Work]:
    """Two runs that follow each other, the second looking back, and one long after over everything."""
    view = case.view
    step = view.step_ms
    from_ms = (START_MS - 100) // step * step + view.offset_ms % step
    middle, end = from_ms + first * step, from_ms + (first + second) * step

    def work(start: int, end: int, on_time: int, wait: int) -> Work:
        now = end - step + view.publish_delay_ms + wait
        return Work(start, end, on_time, now, now - view.publish_delay_ms)

    return [
        work(from_ms, middle, from_ms, 0),
        work(max(from_ms, middle - look_back * step), end, middle, 1),
        work(from_ms, end, end, 200),
    ]

"""Which grid times a run works on, against counting them one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asof.clock import DAY_MS, utc_date
from asof.errors import RequestError
from asof.materialize.intervals import chunks, due_end, first_start, look_back, on_grid, query_dates, warm_up
from tests.support.manifests import HOUR, MINUTE, a_passthrough_view, a_source, an_aggregation_view

steps = st.sampled_from([1, 7, 1000, MINUTE, HOUR, DAY_MS])
instants = st.integers(-10 * DAY_MS, 30_000 * DAY_MS)


@given(now=instants, step=steps, offset=st.integers(0, DAY_MS), delay=st.integers(0, 3 * HOUR))
def test_the_last_due_grid_time_is_on_the_grid_due_and_the_last(now: int, step: int, offset: int, delay: int) -> None:
    """The grid time before ``due_end`` is due; the one at ``due_end`` is not."""
    view = an_aggregation_view(step_ms=step, offset_ms=offset, publish_delay_ms=delay)
    end = due_end(view, now)
    assert (end - offset) % step == 0
    assert end - step + delay <= now < end + delay


@given(start=st.integers(0, 10_000), steps_long=st.integers(0, 500), width=st.integers(1, 90))
def test_chunks_cover_every_grid_time_exactly_once(start: int, steps_long: int, width: int) -> None:
    """Chunks are consecutive, whole steps, none longer than asked for."""
    view = an_aggregation_view(step_ms=DAY_MS)
    begin, end = start * DAY_MS, (start + steps_long) * DAY_MS
    pieces = chunks(view, begin, end, width * DAY_MS)
    covered = [at for piece in pieces for at in range(piece[0], piece[1], DAY_MS)]
    assert covered == list(range(begin, end, DAY_MS))
    assert all(0 < to - at <= width * DAY_MS for at, to in pieces)


@pytest.mark.parametrize("chunk_ms", [0, HOUR - 1, 91 * DAY_MS])
def test_a_chunk_that_no_write_can_hold_is_refused(chunk_ms: int) -> None:
    """Athena writes at most 100 partitions at once, and less than a step is no work."""
    with pytest.raises(RequestError, match="chunk"):
        chunks(an_aggregation_view(), 0, DAY_MS, chunk_ms)


def test_a_first_run_warms_up_over_the_longest_window() -> None:
    """An entity that changed last one window ago must have a row."""
    view = an_aggregation_view()
    assert warm_up(view, 10 * HOUR) == 7 * HOUR
    assert warm_up(a_passthrough_view(), 10 * HOUR) == 10 * HOUR


def test_lateness_looks_back_but_not_before_the_published_range() -> None:
    """Late events touch earlier grid times, of which only published ones have anything to correct."""
    view = an_aggregation_view()
    assert look_back(view, a_source(), 10 * HOUR, 0) == 10 * HOUR
    assert look_back(view, a_source(lateness_ms=90 * MINUTE), 10 * HOUR, 0) == 8 * HOUR
    assert look_back(view, a_source(lateness_ms=30 * MINUTE), 10 * HOUR, 0) == 9 * HOUR
    assert look_back(view, a_source(lateness_ms=5 * HOUR), 10 * HOUR, 8 * HOUR) == 8 * HOUR


@given(lateness=st.integers(0, 10 * HOUR), known=st.integers(1, HOUR), late=st.integers(0, 10 * HOUR))
def test_no_event_within_lateness_escapes_the_next_run(lateness: int, known: int, late: int) -> None:
    """What the run at 9:00 could not know, and is late by no more than lateness, touches work of the next run."""
    view = an_aggregation_view()
    event = 9 * HOUR + known - min(late, lateness)
    assert look_back(view, a_source(lateness_ms=lateness), 10 * HOUR, -100 * HOUR) <= on_grid(view, event)


def test_a_view_whose_rows_never_expire_has_no_natural_beginning() -> None:
    """Only the user knows how far back such a history matters, and the error says what to type."""
    assert first_start(an_aggregation_view(), 10 * HOUR) == 7 * HOUR
    assert first_start(a_passthrough_view(ttl_ms=2 * HOUR), 10 * HOUR) == 8 * HOUR
    with pytest.raises(RequestError, match="asof backfill last_departure"):
        first_start(a_passthrough_view(), 10 * HOUR)


@given(at=st.integers(0, 20_000).map(lambda n: n * HOUR), length=st.integers(1, 100), window=st.integers(1, 200))
def test_query_dates_bound_everything_a_run_touches(at: int, length: int, window: int) -> None:
    """No grid time, event or stored row of the work lies outside the dates it is pruned to."""
    view = an_aggregation_view(
        aggregations=(an_aggregation_view().aggregations[0].__class__("count_1h", "count", None, window * HOUR),)
    )
    to = at + length * HOUR
    dates = query_dates(view, at, to)
    assert dates["from_date"] <= utc_date(at) <= utc_date(to - HOUR) <= dates["to_date"]
    oldest_event = at - HOUR - window * HOUR + 1
    assert dates["source_from_date"] <= utc_date(oldest_event)
    assert dates["source_to_date"] >= utc_date(to - HOUR)
    rows = query_dates(a_passthrough_view(), at, to)
    assert rows["from_date"] <= utc_date(at - HOUR + 1)


def test_on_grid_honours_the_offset() -> None:
    """The grid is the multiples of the step plus the offset."""
    view = an_aggregation_view(offset_ms=5 * MINUTE)
    assert on_grid(view, HOUR) == HOUR + 5 * MINUTE
    assert on_grid(view, HOUR + 5 * MINUTE) == HOUR + 5 * MINUTE

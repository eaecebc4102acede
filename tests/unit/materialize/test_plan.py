"""Planning: what was asked, what is published and the time give one fixed run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asof.clock import DAY_MS
from asof.errors import RequestError
from asof.materialize.ledger import Watermark
from asof.materialize.plan import plan_incremental, plan_range
from asof.materialize.stages import Run, explain, stages
from tests.support.manifests import HOUR, a_passthrough_view, a_source, an_aggregation_view

VIEW = an_aggregation_view()


def incremental(watermark: Watermark | None, now: int, end: int | None = None, lateness: int = 0) -> Run | None:
    """An incremental plan of the aggregation view."""
    source = a_source(lateness_ms=lateness)
    return plan_incremental(VIEW, source, watermark=watermark, now_ms=now, end_ms=end, run_id="r")


def test_an_incremental_run_goes_from_the_watermark_through_the_last_due_grid_time() -> None:
    """Half-open, and nothing at all where nothing is due."""
    run = incremental(Watermark(0, 5 * HOUR), 8 * HOUR + 1)
    assert run is not None
    assert (run.begin_ms, run.from_ms, run.to_ms) == (6 * HOUR, 6 * HOUR, 9 * HOUR)
    assert incremental(Watermark(0, 8 * HOUR), 8 * HOUR + 1) is None


def test_an_incremental_run_goes_no_further_than_its_end() -> None:
    """The end is the last instant that may be described."""
    run = incremental(Watermark(0, 5 * HOUR), 100 * HOUR, end=7 * HOUR)
    assert run is not None
    assert run.to_ms == 8 * HOUR
    assert incremental(Watermark(0, 7 * HOUR), 100 * HOUR, end=7 * HOUR) is None


def test_late_events_are_looked_for_before_the_watermark_and_are_not_on_time() -> None:
    """Rows that appear where lookups were answered already were not served."""
    run = incremental(Watermark(0, 5 * HOUR), 6 * HOUR, lateness=2 * HOUR)
    assert run is not None
    assert (run.begin_ms, run.from_ms) == (4 * HOUR, 6 * HOUR)
    assert [(c.from_ms, c.to_ms, c.on_time_ms) for c in run.chunks] == [(4 * HOUR, 7 * HOUR, 6 * HOUR)]


def test_a_range_apart_from_the_published_one_is_extended_to_meet_it() -> None:
    """What is published has no gaps."""
    published = Watermark(100 * HOUR, 200 * HOUR)
    after = plan_range(VIEW, "backfill", (300 * HOUR, 310 * HOUR), watermark=published, now_ms=10**12, run_id="r")
    before = plan_range(VIEW, "backfill", (10 * HOUR, 20 * HOUR), watermark=published, now_ms=10**12, run_id="r")
    assert after is not None
    assert before is not None
    assert (after.from_ms, after.to_ms) == (201 * HOUR, 310 * HOUR)
    assert (before.begin_ms, before.from_ms, before.to_ms) == (7 * HOUR, 10 * HOUR, 100 * HOUR)


def test_a_range_over_the_published_one_is_cut_where_lateness_begins() -> None:
    """Before the published range rows are on time; within it whatever appears is late."""
    published = Watermark(100 * HOUR, 110 * HOUR)
    run = plan_range(VIEW, "backfill", (90 * HOUR, 120 * HOUR), watermark=published, now_ms=10**12, run_id="r")
    assert run is not None
    assert [(c.from_ms, c.to_ms, c.on_time_ms) for c in run.chunks] == [
        (87 * HOUR, 100 * HOUR, 87 * HOUR),
        (100 * HOUR, 120 * HOUR, 111 * HOUR),
    ]


def test_an_empty_interval_is_refused_and_a_future_one_is_nothing_to_do() -> None:
    """A start after its end is a mistake; grid times that are not due are not."""
    with pytest.raises(RequestError, match="is empty"):
        plan_range(VIEW, "materialize", (HOUR, HOUR), watermark=None, now_ms=0, run_id="r")
    assert plan_range(VIEW, "materialize", (HOUR, 5 * HOUR), watermark=None, now_ms=0, run_id="r") is None


bounds = st.tuples(st.integers(0, 400), st.integers(1, 200)).map(lambda b: (b[0] * HOUR, (b[0] + b[1]) * HOUR))
watermarks = st.none() | bounds.map(lambda b: Watermark(b[0], b[1] - HOUR))


@given(asked=bounds, published=watermarks, now=st.integers(0, 700), chunk_days=st.integers(1, 90))
def test_chunks_partition_the_run_and_publishing_it_leaves_no_gap(
    asked: tuple[int, int], published: Watermark | None, now: int, chunk_days: int
) -> None:
    """Chunks are disjoint and whole; the run touches the published range or covers what lies between."""
    run = plan_range(
        VIEW,
        "backfill",
        asked,
        watermark=published,
        now_ms=now * HOUR,
        run_id="r",
        chunk_ms=chunk_days * DAY_MS,
    )
    if run is None:
        assert asked[0] > now * HOUR
        return
    grid = [at for chunk in run.chunks for at in range(chunk.from_ms, chunk.to_ms, HOUR)]
    assert grid == list(range(run.begin_ms, run.to_ms, HOUR))
    assert [chunk.index for chunk in run.chunks] == list(range(len(run.chunks)))
    if published:
        assert run.from_ms <= published.through_ms + HOUR
        assert run.to_ms >= published.first_ms


def test_explain_prints_the_stages_that_run() -> None:
    """Every step of every chunk, then those of the run; an offline-only view is not loaded."""
    run = plan_range(
        VIEW, "backfill", (0, 60 * DAY_MS), watermark=None, now_ms=10**12, run_id="r", chunk_ms=31 * DAY_MS
    )
    assert run is not None
    steps = [stage.step for stage in stages(run, VIEW)]
    of_a_chunk = ["count", "quarantine", "compute", "check", "commit"]
    assert steps == [*of_a_chunk, *of_a_chunk, "load", "publish"]
    lines = explain(run, VIEW).splitlines()
    assert "begins 3h earlier, for windows that are open at the start" in lines[1]
    assert [line.split()[2] for line in lines[2:]] == steps
    assert [stage.step for stage in stages(run, a_passthrough_view(online=False))][-2:] == ["commit", "publish"]


def test_explain_marks_what_is_over() -> None:
    """What is checked need only be committed; what was computed and never checked is computed anew."""
    run = plan_range(VIEW, "backfill", (0, 3 * DAY_MS), watermark=None, now_ms=10**12, run_id="r", chunk_ms=DAY_MS)
    assert run is not None
    lines = explain(run, VIEW, {0: "committed", 1: "checked", 2: "computed"}).splitlines()[2:]
    assert ["[x]" in line for line in lines[:5]] == [True] * 5
    assert ["[x]" in line for line in lines[5:10]] == [True] * 4 + [False]
    assert not any("[x]" in line for line in lines[10:])

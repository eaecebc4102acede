"""What a backfill is estimated to read, write and cost: every number worked out by hand."""

from __future__ import annotations

import pytest

from asof.clock import DAY_MS, utc_date
from asof.manifest import Column, Feature, FeatureView, Manifest
from asof.materialize.plan import plan_range
from asof.materialize.stages import Run
from asof.registry.estimate import ATHENA_LEAST_BYTES, estimate
from asof.registry.measure import SourceSize
from tests.support.manifests import ENTITY, a_passthrough_view, a_source, an_aggregation_view

START = 20_000 * DAY_MS
GB = 10**9
SOURCE = a_source(columns=(Column("origin", "String"), Column("delay", "Float64"), Column("note", "String")))


def manifest(view: FeatureView) -> Manifest:
    """A manifest of one view."""
    return Manifest((ENTITY,), (SOURCE,), (view,))


def a_run(view: FeatureView, days: int, chunk_days: int) -> Run:
    """A first backfill over whole days, long ago."""
    run = plan_range(
        view,
        "backfill",
        (START, START + days * DAY_MS),
        watermark=None,
        now_ms=START + 1_000 * DAY_MS,
        run_id="planned",
        chunk_ms=chunk_days * DAY_MS,
    )
    assert run is not None
    return run


def test_a_source_without_dates_is_read_whole_by_every_chunk() -> None:
    """Two chunks, two queries each over 100 GB at $5 per TB; checks and the load cost the least there is."""
    view = a_passthrough_view(step_ms=DAY_MS)
    size = SourceSize(objects=3, bytes=100 * GB, rows=1_000, counted=True)
    found = estimate(manifest(view), view, a_run(view, 20, 10), size)
    assert found.queries == 2 * 3 + 1
    assert found.scanned_bytes == 4 * 100 * GB + 3 * ATHENA_LEAST_BYTES
    assert found.athena_dollars == pytest.approx(4 * 0.5 + 0.00015)
    assert (found.rows, found.writes) == (1_000, 1_000)
    assert found.dynamodb_dollars == pytest.approx(1_000 * 0.625e-6)
    assert found.dollars == pytest.approx(found.athena_dollars + 1_000 * 0.625e-6)
    assert any("no date partition" in each for each in found.assumptions)
    assert not any("extrapolated" in each for each in found.assumptions)


def test_with_dates_a_chunk_reads_its_own_and_one_step_before() -> None:
    """Thirty days of 1 GB; the run asks for ten of them, in two chunks of five."""
    view = a_passthrough_view(step_ms=DAY_MS)
    by_date = {utc_date(START + (i - 10) * DAY_MS): GB for i in range(30)}
    size = SourceSize(objects=30, bytes=30 * GB, by_date=by_date, rows=30_000)
    found = estimate(manifest(view), view, a_run(view, 10, 5), size)
    assert found.scanned_bytes == 2 * 2 * 6 * GB + 3 * ATHENA_LEAST_BYTES
    assert found.rows == 11_000
    assert any("extrapolated" in each for each in found.assumptions)


def test_only_the_columns_that_are_read_are_paid_for() -> None:
    """The view reads keys, time and delay, which make up a quarter of the bytes; ``note`` is the rest."""
    view = a_passthrough_view(step_ms=DAY_MS)
    shares = {"origin": 0.1, "DELAY": 0.1, "departed_at": 0.05, "note": 0.75}
    size = SourceSize(objects=1, bytes=100 * GB, rows=10, shares=shares)
    found = estimate(manifest(view), view, a_run(view, 10, 10), size)
    assert found.scanned_bytes == pytest.approx(2 * 25 * GB + 2 * ATHENA_LEAST_BYTES)


def test_an_aggregation_writes_a_row_when_an_event_enters_and_when_it_leaves_each_window() -> None:
    """Windows of 1 h and 3 h: three rows per event at most; online one item per entity, at most one per event."""
    view = an_aggregation_view()
    found = estimate(manifest(view), view, a_run(view, 1, 1), SourceSize(objects=1, bytes=1_000, rows=100))
    assert (found.rows, found.writes) == (300, 100)


def test_small_queries_are_charged_for_ten_megabytes() -> None:
    """Four queries, $0.00005 each."""
    view = an_aggregation_view()
    found = estimate(manifest(view), view, a_run(view, 1, 2), SourceSize(objects=1, bytes=10, rows=1))
    assert found.queries == 4
    assert found.athena_dollars == pytest.approx(4 * 5e-5)


def test_what_is_not_known_is_not_made_up() -> None:
    """Without footers there are no rows; the bytes are known all the same."""
    view = an_aggregation_view()
    found = estimate(manifest(view), view, a_run(view, 1, 1), SourceSize(objects=1, bytes=GB))
    assert (found.rows, found.writes, found.dynamodb_dollars) == (None, None, None)
    assert found.dollars == found.athena_dollars
    assert any("no Parquet footer" in each for each in found.assumptions)


def test_an_empty_source_gives_no_rows() -> None:
    """And divides by nothing."""
    view = an_aggregation_view()
    found = estimate(manifest(view), view, a_run(view, 1, 1), SourceSize(objects=0, bytes=0, rows=0, counted=True))
    assert (found.rows, found.writes) == (0, 0)


def test_a_view_that_is_not_online_writes_no_items() -> None:
    """Its price is known even where its rows are not."""
    view = an_aggregation_view(online=False)
    found = estimate(manifest(view), view, a_run(view, 1, 1), SourceSize(objects=1, bytes=GB))
    assert (found.writes, found.dynamodb_dollars) == (0, 0)


def test_large_items_take_several_write_units() -> None:
    """An embedding of 1,000 dimensions is 4,000 bytes: five units with its keys."""
    view = a_passthrough_view(features=(Feature("delay", "Embedding<1000>"),))
    found = estimate(manifest(view), view, a_run(view, 1, 1), SourceSize(objects=1, bytes=GB, rows=1_000_000))
    assert found.dynamodb_dollars == pytest.approx(5 * 0.625)

"""Planning: from what was asked, what is published and the time to one fixed run.

Pure functions, so that what ``explain`` prints is what ``execute`` does.
"""

from __future__ import annotations

from asof.clock import DAY_MS, grid_floor, iso
from asof.errors import RequestError
from asof.manifest import BatchSource, FeatureView
from asof.materialize.intervals import chunks, due_end, first_start, look_back, on_grid, warm_up
from asof.materialize.ledger import Watermark
from asof.materialize.stages import Chunk, Run, RunKind

CHUNK_MS = 31 * DAY_MS


def plan_incremental(
    view: FeatureView,
    source: BatchSource,
    *,
    watermark: Watermark | None,
    now_ms: int,
    end_ms: int | None,
    run_id: str,
    chunk_ms: int = CHUNK_MS,
) -> Run | None:
    """The run from the watermark through the last grid time that is due and not after ``end_ms``; None if none is.

    It looks back over the source's lateness. A view that was never materialized begins where lookups can still see.
    """
    to_ms = due_end(view, now_ms)
    if end_ms is not None:
        to_ms = min(to_ms, grid_floor(end_ms, view.step_ms, view.offset_ms) + view.step_ms)
    from_ms = watermark.through_ms + view.step_ms if watermark else first_start(view, now_ms)
    if from_ms >= to_ms:
        return None
    begin_ms = look_back(view, source, from_ms, watermark.first_ms) if watermark else from_ms
    return _run(view, "incremental", (begin_ms, from_ms, to_ms), watermark=watermark, run_id=run_id, chunk_ms=chunk_ms)


def plan_range(
    view: FeatureView,
    kind: RunKind,
    bounds: tuple[int, int],
    *,
    watermark: Watermark | None,
    now_ms: int,
    run_id: str,
    chunk_ms: int = CHUNK_MS,
) -> Run | None:
    """The run over the grid times ``T`` with ``bounds[0] <= T < bounds[1]`` that are due; None where none is.

    What is published stays one range without gaps: a range that lies apart from it is extended to meet it.
    """
    start_ms, end_ms = bounds
    if start_ms >= end_ms:
        raise RequestError(f"the interval [{iso(start_ms)}, {iso(end_ms)}) is empty; its start must be before its end")
    from_ms = on_grid(view, start_ms)
    to_ms = min(on_grid(view, end_ms), due_end(view, now_ms))
    if from_ms >= to_ms:
        return None
    if watermark:
        from_ms = min(from_ms, watermark.through_ms + view.step_ms)
        to_ms = max(to_ms, watermark.first_ms)
    begin_ms = warm_up(view, from_ms) if not watermark or from_ms < watermark.first_ms else from_ms
    return _run(view, kind, (begin_ms, from_ms, to_ms), watermark=watermark, run_id=run_id, chunk_ms=chunk_ms)


def _run(
    view: FeatureView,
    kind: RunKind,
    bounds: tuple[int, int, int],
    *,
    watermark: Watermark | None,
    run_id: str,
    chunk_ms: int,
) -> Run:
    """The run over ``bounds`` (begin, from, to), cut where the published range begins.

    A row that appears where lookups were answered already could not have been served before this run; one before the
    published range, or after it, is on time.
    """
    begin_ms, from_ms, to_ms = bounds
    first_ms = watermark.first_ms if watermark else to_ms
    late_until_ms = watermark.through_ms + view.step_ms if watermark else begin_ms
    before = chunks(view, begin_ms, min(first_ms, to_ms), chunk_ms)
    after = chunks(view, max(first_ms, begin_ms), to_ms, chunk_ms)
    pieces = [(piece, begin_ms) for piece in before] + [(piece, late_until_ms) for piece in after]
    return Run(
        view=view.name,
        version=view.version,
        run_id=run_id,
        kind=kind,
        begin_ms=begin_ms,
        from_ms=from_ms,
        to_ms=to_ms,
        chunks=tuple(Chunk(index, piece[0], piece[1], on_time_ms) for index, (piece, on_time_ms) in enumerate(pieces)),
    )

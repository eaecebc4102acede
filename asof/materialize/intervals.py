"""Which grid times a run works on, and what it must read for them. Pure functions over half-open ``[from, to)`` in ms.

The work of a grid time ``T`` is the row at ``T`` for an aggregation view, and the source rows with event time in
``(T - step, T]`` for the others. A grid time is due once ``T + publish_delay`` has come.
"""

from __future__ import annotations

from asof.clock import DAY_MS, duration_text, grid_ceil, grid_floor, utc_date
from asof.errors import RequestError
from asof.manifest import BatchSource, FeatureView

MAX_CHUNK_MS = 90 * DAY_MS
"""One chunk's rows fall on at most this many days, so that one write stays under Athena's 100 partitions."""


def due_end(view: FeatureView, now_ms: int) -> int:
    """The exclusive end of the grid times that are due at ``now_ms``."""
    return grid_floor(now_ms - view.publish_delay_ms, view.step_ms, view.offset_ms) + view.step_ms


def max_window_ms(view: FeatureView) -> int:
    """The longest window of an aggregation view; 0 for the others."""
    return max((each.window_ms for each in view.aggregations), default=0)


def on_grid(view: FeatureView, value_ms: int) -> int:
    """The first grid time at or after an instant."""
    return grid_ceil(value_ms, view.step_ms, view.offset_ms)


def warm_up(view: FeatureView, from_ms: int) -> int:
    """The grid time a first materialization of ``[from_ms, ...)`` must begin at.

    Rows are written only where something changed, so an entity whose windows hold something at ``from_ms`` may have had
    its last change up to one longest window earlier; beginning there makes the answer at ``from_ms`` complete.
    """
    return on_grid(view, from_ms - max_window_ms(view)) if view.kind == "aggregation" else from_ms


def look_back(view: FeatureView, source: BatchSource, from_ms: int, first_ms: int) -> int:
    """The first grid time that events late by up to the source's lateness can touch, not before ``first_ms``.

    The run before saw what was known one step before ``from_ms``. An event that became known a moment later, and is
    late by no more than the lateness, happened no earlier than the result's own work begins.
    """
    earliest_ms = on_grid(view, from_ms - view.step_ms - source.lateness_ms + 1)
    return max(earliest_ms, min(first_ms, from_ms))


def first_start(view: FeatureView, now_ms: int) -> int:
    """Where an incremental run begins on a view that has never been materialized: what lookups at ``now_ms`` can see.

    Raises RequestError for a view whose rows never expire: only the user knows how far back its history matters.
    """
    end_ms = due_end(view, now_ms)
    if view.kind == "aggregation":
        return warm_up(view, end_ms - view.step_ms)
    if view.expires_ms:
        return on_grid(view, now_ms - view.expires_ms)
    raise RequestError(
        f"{view.reference} has never been materialized and its rows never expire, so there is no natural beginning; "
        f"run: asof backfill {view.name} --start 2026-01-01"
    )


def chunks(view: FeatureView, from_ms: int, to_ms: int, chunk_ms: int = 31 * DAY_MS) -> tuple[tuple[int, int], ...]:
    """``[from_ms, to_ms)`` cut into consecutive half-open pieces of whole grid steps, each at most ``chunk_ms`` long.

    Raises RequestError where ``chunk_ms`` is shorter than a step or longer than one write can hold.
    """
    if not view.step_ms <= chunk_ms <= max(MAX_CHUNK_MS, view.step_ms):
        raise RequestError(
            f"a chunk of {duration_text(chunk_ms)} does not fit {view.reference}: "
            f"choose from {duration_text(view.step_ms)} to {duration_text(MAX_CHUNK_MS)}"
        )
    width = chunk_ms // view.step_ms * view.step_ms
    return tuple((at, min(at + width, to_ms)) for at in range(from_ms, to_ms, width))


def query_dates(view: FeatureView, from_ms: int, to_ms: int) -> dict[str, str]:
    """The inclusive UTC dates a run over ``[from_ms, to_ms)`` touches, as parameters of the run's queries.

    ``from_date``/``to_date`` bound the history rows it may write or compare with; ``source_*`` the source's events.
    """
    last_ms = to_ms - view.step_ms
    reach_ms = from_ms - view.step_ms
    return {
        "from_date": utc_date(from_ms if view.kind == "aggregation" else reach_ms),
        "to_date": utc_date(last_ms),
        "source_from_date": utc_date(reach_ms - max_window_ms(view)),
        "source_to_date": utc_date(last_ms),
    }

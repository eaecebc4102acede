"""How a view stands, from its watermark and the time."""

from __future__ import annotations

import pytest

from asof.materialize.ledger import Watermark
from asof.monitor.status import ViewStatus, view_status
from tests.support.manifests import HOUR, MINUTE, an_aggregation_view

VIEW = an_aggregation_view(freshness_ms=2 * HOUR, publish_delay_ms=5 * MINUTE)
THROUGH = 480_000 * HOUR


@pytest.mark.parametrize(
    ("newest_ms", "now_ms", "state", "age_ms"),
    [
        (THROUGH, THROUGH + 2 * HOUR, "fresh", 2 * HOUR),
        (THROUGH, THROUGH + 2 * HOUR + 1, "stale", 2 * HOUR + 1),
        (THROUGH - 3 * HOUR, THROUGH, "stale", 3 * HOUR),
        (None, THROUGH, "fresh", 0),
    ],
)
def test_a_view_is_as_old_as_its_newest_data(newest_ms: int | None, now_ms: int, state: str, age_ms: int) -> None:
    """It is stale where runs fail to advance, and where the source has fallen silent; the edge is fresh."""
    found = view_status(VIEW, Watermark(0, THROUGH, newest_ms), now_ms)
    assert (found.state, found.age_ms) == (state, age_ms)


def test_the_next_run_is_due_when_the_next_grid_time_may_be_computed() -> None:
    """One step on, plus the publish delay; before anything is published it is due at once."""
    assert view_status(VIEW, Watermark(0, THROUGH), THROUGH + 1).due_ms == THROUGH + HOUR + 5 * MINUTE
    assert view_status(VIEW, None, 7) == ViewStatus("never run", None, 7)


def test_what_no_schedule_runs_is_never_due() -> None:
    """Deprecated views keep their data; retired ones have none."""
    old = an_aggregation_view(deprecated=True)
    assert view_status(old, Watermark(0, 10), 20) == ViewStatus("deprecated", 10, None)
    assert view_status(old, None, 20, retired=True) == ViewStatus("retired", None, None)


def test_a_view_that_promises_nothing_is_neither_fresh_nor_stale() -> None:
    """It is published, that is all."""
    assert view_status(an_aggregation_view(), Watermark(0, 10), 10**12).state == "published"

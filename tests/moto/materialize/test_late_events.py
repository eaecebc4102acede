"""Late events: picked up within the source's lateness, counted beyond it, repaired by a backfill."""

from __future__ import annotations

from typing import Any

from asof.clock import DAY_MS, ManualClock, from_ms
from asof.local import LocalCloud
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

START = 20_000 * DAY_MS
VIEW = an_aggregation_view()
FEATURE = "airport_departures:count_1h"


def departed(at: int, known: int) -> dict[str, Any]:
    """One departure of JFK."""
    return {"origin": "JFK", "delay": 1.0, "departed_at": at, "known_at": known}


def a_world(cloud: LocalCloud, lateness: int) -> World:
    """Three hours that are published, with a departure in each."""
    source = a_source(created_timestamp_column="known_at", lateness_ms=lateness)
    world = World(cloud, a_manifest([VIEW], source), ManualClock(START))
    world.arrive([departed(at, at) for at in (START - 150 * MINUTE, START - 90 * MINUTE, START - 30 * MINUTE)])
    world.store.materialize_incremental()
    return world


def count_at(world: World, at: int, **options: Any) -> Any:
    """The count of JFK that a label at that instant is given."""
    return world.training([FEATURE], [("JFK", at)], **options)["count_1h"].tolist()[0]


def test_an_event_within_lateness_corrects_what_was_published_and_does_not_rewrite_the_past() -> None:
    """From the run on the corrected value is the answer; a label before it still gets what was served then."""
    with LocalCloud() as cloud:
        world = a_world(cloud, lateness=2 * HOUR)
        world.arrive([departed(START - 20 * MINUTE, START + 30 * MINUTE)])
        world.clock.set(START + HOUR)
        (run,) = world.store.materialize_incremental()
        assert run.too_late == 0
        assert count_at(world, START) == 1
        assert count_at(world, START, as_of="event") == 2
        corrections = [row for row in world.history(VIEW) if row["event_timestamp"] == from_ms(START)]
        assert sorted(row["count_1h"] for row in corrections) == [1, 2]


def test_an_event_beyond_lateness_is_counted_once_and_repaired_by_a_backfill() -> None:
    """Never dropped in silence: the run that could have seen it says so."""
    with LocalCloud() as cloud:
        world = a_world(cloud, lateness=HOUR)
        world.arrive([departed(START - 140 * MINUTE, START + 30 * MINUTE)])
        told = []
        for hours in (1, 2, 3):
            world.clock.set(START + hours * HOUR)
            (run,) = world.store.materialize_incremental()
            told.append(run.too_late)
        assert told == [1, 0, 0]
        affected = START - 2 * HOUR
        assert count_at(world, affected, as_of="event") == 1
        world.store.backfill(VIEW.name, from_ms(START - 6 * HOUR), from_ms(world.clock.now_ms()))
        assert count_at(world, affected, as_of="event") == 2
        assert count_at(world, affected) == 1

"""What lookups answered right after a run is, for ever, the training value at that instant, to the last digit."""

from __future__ import annotations

import math
import random
from typing import Any

import pandas as pd
import pytest

from asof.clock import DAY_MS, ManualClock
from asof.errors import LeaseHeldError
from asof.local import LocalCloud
from tests.support.manifests import HOUR, MINUTE, a_passthrough_view, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

START = 20_000 * DAY_MS + 22 * HOUR  # two hours before midnight, so that runs cross a date
ORIGINS = ("JFK", "LGA", "EWR", "never seen")
FEATURES = (
    "airport_departures:count_1h",
    "airport_departures:count_3h",
    "airport_departures:delay_mean_3h",
    "last_departure:delay",
)
NAMES = tuple(each.split(":")[1] for each in FEATURES)

SOURCE = a_source(created_timestamp_column="known_at", lateness_ms=2 * HOUR)
VIEWS = (an_aggregation_view(), a_passthrough_view(ttl_ms=2 * HOUR))


def some_rows(chance: random.Random, now: int) -> list[dict[str, Any]]:
    """Departures of the last hours: on time, late within lateness, too late; doubles whose sums round."""
    rows = []
    for _ in range(chance.randrange(6)):
        known = now - chance.randrange(HOUR)
        late = chance.choice([0, 0, 0, chance.randrange(2 * HOUR), 4 * HOUR])
        rows.append(
            {
                "origin": chance.choice(ORIGINS[:3]),
                "delay": chance.choice([None, 0.1, 0.7, -3.3, 1e9 / 7, 1e-9]),
                "departed_at": known - late,
                "known_at": known,
            }
        )
    return rows


def plain(value: Any) -> Any:
    """A value as both sides spell it: None for every kind of null."""
    return None if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


@pytest.mark.parametrize("seed", range(4))
def test_training_equals_serving_after_any_interleaving_of_runs(seed: int) -> None:
    """Rows arrive in any order; runs are skipped, repeated, incremental or backfills; every answer is remembered."""
    chance = random.Random(seed)
    clock = ManualClock(START)
    answered: list[tuple[str, int, tuple[Any, ...]]] = []
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest(VIEWS, SOURCE), clock)
        world.arrive([{"origin": "JFK", "delay": 1.5, "departed_at": START - HOUR, "known_at": START - HOUR}])
        for _ in range(5):
            world.arrive(some_rows(chance, clock.now_ms()))
            deed = chance.choice(["incremental", "incremental", "incremental", "backfill", "nothing"])
            if deed == "backfill":
                back = chance.randrange(1, 8)
                start, end = clock.now_ms() - back * HOUR, clock.now_ms() + 1
                from asof.clock import from_ms

                world.store.backfill([v.name for v in VIEWS], from_ms(start), from_ms(end), chunk="3h")
            elif deed == "incremental":
                world.store.materialize_incremental()
            if deed != "nothing":
                served = world.online(FEATURES, ORIGINS)
                for i, origin in enumerate(ORIGINS):
                    answered.append((origin, clock.now_ms(), tuple(plain(served[name][i]) for name in NAMES)))
            clock.set(clock.now_ms() + chance.choice([1, 1, 2]) * HOUR)
        for engine in ("athena", "duckdb"):
            frame = world.training(FEATURES, [(origin, at) for origin, at, _ in answered], engine=engine)
            trained = [tuple(plain(value) for value in row) for row in frame[list(NAMES)].itertuples(index=False)]
            assert trained == [values for _, _, values in answered]


def test_two_runners_at_once_one_wins_and_nothing_is_doubled() -> None:
    """The loser is told that the other is at work; afterwards there is one of everything."""
    clock = ManualClock(START)
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest(VIEWS[:1], SOURCE), clock)
        world.arrive([{"origin": "JFK", "delay": 1.5, "departed_at": START - MINUTE, "known_at": START - MINUTE}])
        refused = []

        def meanwhile(_what: str, done: int, _total: int) -> None:
            """A second runner begins while the first is at work."""
            if done == 1:
                with pytest.raises(LeaseHeldError) as caught:
                    world.store.materialize_incremental()
                refused.append(caught.value)

        world.store.materialize_incremental(progress=meanwhile)
        assert len(refused) == 1
        rows = world.history(VIEWS[0])
        assert len({(row["origin"], row["event_timestamp"]) for row in rows}) == len(rows) > 0
        assert world.store.materialize_incremental() == []
        assert world.history(VIEWS[0]) == rows

"""A kill before and after every side effect of a run, then another runner: the same final state as without the kill."""

from __future__ import annotations

from typing import Any

import pytest

from asof.clock import DAY_MS, ManualClock, from_ms
from asof.errors import AsofError, LeaseLostError
from asof.local import LocalCloud
from asof.local.faults import CrashPlan, Killed, crash_plans
from asof.materialize.lease import LEASE_MS
from asof.names import staging_table
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

NOW = 20_000 * DAY_MS + HOUR  # the run's rows fall on two dates
VIEW = an_aggregation_view()
FEATURES = tuple(f"airport_departures:{feature.name}" for feature in VIEW.features)
ORIGINS = ("JFK", "LGA")
ROWS = [
    {"origin": origin, "delay": 0.1 * i, "departed_at": NOW - 5 * HOUR + i * 25 * MINUTE}
    for i in range(12)
    for origin in ORIGINS
] + [{"origin": None, "delay": 1.0, "departed_at": NOW - 1}]


def a_world(cloud: LocalCloud) -> World:
    """A source with rows, an hour of them published, and three hours waiting."""
    world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW - 3 * HOUR))
    world.arrive(ROWS)
    world.store.materialize_incremental()
    world.clock.set(NOW)
    return world


def visible(world: World) -> list[tuple[Any, ...]]:
    """What training sees, but for when and by which attempt it was written."""
    return [
        tuple(value for name, value in row.items() if name not in ("created_timestamp", "run"))
        for row in world.history(VIEW)
    ]


def state(world: World) -> dict[str, Any]:
    """Everything a user can see of the store."""
    glue, environment = world.glue, world.store.services.environment
    staged = glue.get_partitions(DatabaseName=environment.database, TableName=staging_table(VIEW.name, VIEW.version))
    items = world.cloud.session().client("dynamodb").scan(TableName=environment.online_table)["Items"]
    return {
        "history": visible(world),
        "items": sorted((i["pk"]["S"], i["sk"]["S"], i.get("v"), i.get("e"), i.get("w")) for i in items),
        "watermark": world.store.watermark(VIEW.name),
        "staged": staged["Partitions"],
        "runs": [(record.state, record.rows, record.quarantined) for record in world.store.runs(VIEW.name)],
    }


def expected() -> tuple[int, list[tuple[Any, ...]], dict[str, Any]]:
    """The number of side effects of an undisturbed run, what was visible before it, and the state after it."""
    with LocalCloud() as cloud:
        world = a_world(cloud)
        before = visible(world)
        count = CrashPlan()
        world.another_process(count).materialize_incremental()
        return len(count.calls), before, state(world)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[int, list[tuple[Any, ...]], dict[str, Any]]:
    """Computed once: the run nobody disturbs."""
    return expected()


@pytest.mark.parametrize("part", range(4))
def test_a_kill_anywhere_and_a_rerun_end_like_an_undisturbed_run(
    part: int, undisturbed: tuple[int, list[tuple[Any, ...]], dict[str, Any]]
) -> None:
    """Between kill and rerun readers see the run's rows whole or not at all; the next runner waits for the lease."""
    calls, before, after = undisturbed
    assert calls >= 15
    for plan in list(crash_plans(calls))[part::4]:
        with LocalCloud() as cloud:
            world = a_world(cloud)
            victim = world.another_process(plan)
            with pytest.raises(Killed):
                victim.materialize_incremental()
            assert visible(world) in (before, after["history"]), plan
            world.clock.set(NOW + LEASE_MS)
            world.store.materialize_incremental()
            assert state(world) == after, f"killed {plan.when} call {plan.kill_at}: {plan.calls[-1]}"


def test_a_runner_that_slept_through_its_lease_changes_nothing_more() -> None:
    """Another run took over and finished; the sleeper wakes up at its next record, is told, and stops."""
    with LocalCloud() as cloud:
        world = a_world(cloud)
        sleeper = world.another_process(CrashPlan())
        taken_over = []

        def fall_asleep(_what: str, done: int, _total: int) -> None:
            """After the commit and before the load, for longer than the lease; somebody else comes by."""
            if done == 1:
                world.clock.set(NOW + LEASE_MS + 1)
                world.store.materialize_incremental()
                taken_over.append(state(world))

        with pytest.raises(LeaseLostError):
            sleeper.materialize_incremental(progress=fall_asleep)
        assert taken_over == [state(world)]


@pytest.mark.parametrize("query", ["counts", "compute", "check", "load"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failed_query_fails_loudly_and_the_rerun_ends_as_if_nothing_had_happened(
    query: str, when: Any, undisturbed: tuple[int, list[tuple[Any, ...]], dict[str, Any]]
) -> None:
    """The lease is released, the run is open with its error, nothing half-done is visible."""
    _, before, after = undisturbed
    with LocalCloud() as cloud:
        world = a_world(cloud)
        cloud.faults.fail_query(containing=f"purpose={query}", when=when)
        with pytest.raises(AsofError, match="injected"):
            world.store.materialize_incremental()
        assert visible(world) in (before, after["history"])
        left_open = world.store.runs(VIEW.name)[-1]
        assert (left_open.state, "injected" in left_open.error) == ("open", True)
        world.store.materialize_incremental()
        assert state(world) == after


def test_a_parallel_backfill_killed_midway_goes_on_where_it_stopped() -> None:
    """Chunks that were committed are not computed again."""
    start, end = from_ms(NOW - 6 * HOUR), from_ms(NOW + 1)
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW))
        world.arrive(ROWS)
        plan = CrashPlan()
        victim = world.another_process(plan)

        def die(_what: str, done: int, _total: int) -> None:
            """Once two chunks with rows are committed, after two empty ones of the warm-up."""
            if done == 4:
                plan.dead = True
                raise Killed

        with pytest.raises(Killed):
            victim.backfill(VIEW.name, start, end, chunk="2h", workers=2, progress=die)
        committed = {row["run"] for row in world.history(VIEW)}
        world.clock.set(NOW + LEASE_MS)
        world.store.backfill(VIEW.name, start, end, chunk="2h", workers=2)
        killed = state(world)
        runs = {row["run"] for row in world.history(VIEW)}
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW))
        world.arrive(ROWS)
        world.store.backfill(VIEW.name, start, end, chunk="2h", workers=1)
        assert killed["history"] == visible(world)
        assert killed["items"] == state(world)["items"]
    assert committed
    assert committed < runs

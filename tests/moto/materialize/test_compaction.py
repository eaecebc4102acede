"""Compaction changes no answer, leaves fewer partitions, and survives a kill before and after every side effect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from asof.cli import main
from asof.clock import DAY_MS, ManualClock, from_ms, utc_date
from asof.errors import AsofError, CheckFailedError, LeaseHeldError
from asof.local import LocalCloud
from asof.local.faults import CrashPlan, Killed, crash_plans
from asof.materialize.compact import GRACE_MS, Compactor, units
from asof.materialize.compaction_record import compactions, ledger_key
from asof.materialize.lease import LEASE_MS, acquire
from asof.materialize.services import Services
from asof.names import history_table, staging_table
from asof.offline import partitions
from asof.offline.partitions import Partition
from asof.registry.publish import publish
from asof.sql.compaction import compacted
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

START = 20_000 * DAY_MS
NOW = START + 3 * DAY_MS + HOUR
VIEW = an_aggregation_view()
FEATURES = [f"airport_departures:{feature.name}" for feature in VIEW.features]
ORIGINS = ["JFK", "LGA"]
ROWS = [
    {"origin": origin, "delay": 0.1 * i, "departed_at": START + i * 35 * MINUTE}
    for i in range(100)
    for origin in ORIGINS
]
LABELS = [(origin, START + i * 97 * MINUTE) for i in range(48) for origin in (*ORIGINS, "EWR")]
TABLE = history_table(VIEW.name, VIEW.version)


def a_world(cloud: LocalCloud, *, runs: int = 5) -> World:
    """A history of three days that was written by several runs a day."""
    world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(START + HOUR))
    world.arrive(ROWS)
    for number in range(runs + 1):
        world.clock.set(START + HOUR + number * (NOW - START - HOUR) // runs)
        world.store.materialize_incremental()
    return world


def compactor(world: World, services: Services | None = None) -> Compactor:
    """Of the world's one view."""
    return Compactor(services or world.store.services, world.store.views()[0])


def rows(world: World) -> list[dict[str, Any]]:
    """Everything visible in the history but for who wrote it."""
    found = [{name: value for name, value in row.items() if name != "run"} for row in world.history(VIEW)]
    return sorted(found, key=repr)


def pointers(world: World, table: str = TABLE) -> list[tuple[str, str]]:
    """The partitions that are registered, as (event date, run)."""
    pages = world.glue.get_paginator("get_partitions").paginate(
        DatabaseName=world.store.services.environment.database, TableName=table
    )
    return sorted((each["Values"][0], each["Values"][1]) for page in pages for each in page["Partitions"])


def objects(world: World) -> list[str]:
    """The keys of the history's objects."""
    bucket = world.store.services.environment.offline_bucket
    listed = world.s3.list_objects_v2(Bucket=bucket, Prefix=f"history/{TABLE}/")
    return [each["Key"] for each in listed.get("Contents", ())]


def answers(world: World) -> list[Any]:
    """Training values by both rules and both engines, and lookups."""
    training = [world.training(FEATURES, LABELS, **how) for how in ({}, {"as_of": "event"}, {"engine": "duckdb"})]
    return [frame.to_csv() for frame in training] + [world.online(FEATURES, ORIGINS)]


def test_answers_stay_and_partitions_go() -> None:
    """One partition per date before today is left, with the same rows; a repetition finds nothing to do."""
    with LocalCloud() as cloud:
        world = a_world(cloud)
        before, answered, files = rows(world), answers(world), len(objects(world))
        made = compactor(world).execute()
        left = pointers(world)
        dates = [event_date for event_date, _ in left]
        assert sum(each.partitions for each in made) == files - len({*dates}) + len(made[0].after)
        assert len(dates) == len({*dates})
        assert rows(world) == before
        assert answers(world) == answered
        assert pointers(world, staging_table(VIEW.name, VIEW.version)) == []
        assert compactor(world).execute() == []
        assert pointers(world) == left


def _going_on(*, is_compacted: bool) -> list[Any]:
    """What the next run writes and everyone answers after it, over a compacted history or over the plain one."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        if is_compacted:
            assert compactor(world).execute()
        world.clock.set(NOW + 5 * HOUR)
        world.arrive([{"origin": "JFK", "delay": 9.5, "departed_at": NOW + 3 * HOUR}])
        return [[record.rows for record in world.store.materialize_incremental()], answers(world)]


def test_runs_go_on_after_a_compaction() -> None:
    """An incremental run finds what is stored, corrects nothing, and its own rows are loaded and joined."""
    assert _going_on(is_compacted=True) == _going_on(is_compacted=False)


def _undisturbed() -> tuple[int, list[tuple[str, str]], Any]:
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        answered = answers(world)
        count = CrashPlan()
        compactor(world, world.another_process(count).services).execute()
        assert answers(world) == answered
        return len(count.calls), [(date, "") for date, _ in pointers(world)], answered


@pytest.fixture(scope="module")
def undisturbed() -> tuple[int, list[tuple[str, str]], Any]:
    """How many calls change something, the partitions left (dates), and all answers."""
    return _undisturbed()


@pytest.mark.parametrize("part", range(4))
def test_a_kill_anywhere_loses_nothing(part: int, undisturbed: tuple[int, list[tuple[str, str]], Any]) -> None:
    """Whenever it dies, all answers are right; the next compaction ends in the same state, with nothing staged."""
    calls, left, answered = undisturbed
    assert calls >= 8
    for plan in list(crash_plans(calls))[part::4]:
        with LocalCloud() as cloud:
            world = a_world(cloud, runs=3)
            victim = compactor(world, world.another_process(plan).services)
            with pytest.raises(Killed):
                victim.execute()
            assert answers(world) == answered, plan
            world.clock.set(NOW + LEASE_MS)
            compactor(world).execute()
            assert [(date, "") for date, _ in pointers(world)] == left, plan
            assert answers(world) == answered, plan
            assert pointers(world, staging_table(VIEW.name, VIEW.version)) == []
            assert len(rows(world)) == len({repr(row) for row in rows(world)})


def test_open_runs_keep_their_partitions() -> None:
    """A run that stopped between commit and load still finds its rows by its name."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        world.clock.set(NOW + 2 * DAY_MS)
        world.arrive([{"origin": "JFK", "delay": 1.5, "departed_at": START + DAY_MS}])
        cloud.faults.fail_query(containing="purpose=load", when="before")
        with pytest.raises(AsofError, match="injected"):
            world.store.backfill(VIEW.name, from_ms(START), from_ms(NOW))
        (left_open,) = [record.run.run_id for record in world.store.runs(VIEW.name) if record.state == "open"]
        compactor(world).execute()
        assert [run for _, run in pointers(world) if run.startswith(left_open)]
        world.store.materialize_incremental()
        compactor(world).execute()
        assert not [run for _, run in pointers(world) if run.startswith(left_open)]


def test_two_compactions_do_not_meet_and_runs_do_not_wait() -> None:
    """The lease is the compaction's own."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        services = world.store.services
        table = services.environment.control_table
        lease = acquire(services.dynamodb, table, ledger_key(VIEW), "another", services.clock)
        with pytest.raises(LeaseHeldError, match="another"):
            compactor(world).execute()
        world.clock.set(NOW + HOUR)
        assert world.store.materialize_incremental()
        lease.release()
        assert compactor(world).execute()


def test_rows_that_are_there_twice_are_written_once() -> None:
    """A runner that woke up late may have registered again what had been replaced; the next compaction mends it."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        before, places = rows(world), {}
        pages = world.glue.get_partitions(DatabaseName=world.store.services.environment.database, TableName=TABLE)
        for each in pages["Partitions"]:
            places[tuple(each["Values"])] = each["StorageDescriptor"]["Location"]
        (made,) = compactor(world).execute()
        again = [Partition(date, run, places[date, run]) for date, run in made.replaced()]
        partitions.register(world.glue, world.store.services.environment.database, TABLE, again)
        assert len(rows(world)) > len(before)
        compactor(world).execute()
        assert rows(world) == before


def test_old_objects_are_deleted_a_day_later() -> None:
    """Not before, and none that a partition points to."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        files = len(objects(world))
        (made,) = compactor(world).execute()
        world.clock.set(NOW + GRACE_MS - 1)
        compactor(world).execute(last="2000-01-01")
        assert len(objects(world)) == files + len(made.after)
        world.clock.set(NOW + GRACE_MS)
        compactor(world).execute(last="2000-01-01")
        assert len(objects(world)) == len(pointers(world))
        assert [each.stage for each in compactions(world.store.services, VIEW)] == ["swept"]


def attempts(world: World) -> set[str]:
    """The attempts that something of is left."""
    services = world.store.services
    return set(partitions.written_attempts(services.s3, services.environment.offline_bucket, VIEW.name, VIEW.version))


def a_failed_attempt(world: World) -> set[str]:
    """What a run wrote before its check failed; the run stays open."""
    before = attempts(world)
    world.cloud.faults.fail_query(containing="purpose=check")
    with pytest.raises(AsofError, match="injected"):
        world.store.backfill(VIEW.name, from_ms(START), from_ms(NOW))
    left = attempts(world) - before
    assert left
    return left


@pytest.mark.parametrize("ending", ["finished", "abandoned"])
def test_what_a_failed_attempt_wrote_is_deleted_a_day_after_its_run(ending: str) -> None:
    """Not before, not while the run is open, and nothing that a partition points to."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        world.arrive([{"origin": "JFK", "delay": 1.5, "departed_at": START + DAY_MS}])
        left = a_failed_attempt(world)
        (open_run,) = [record.run.run_id for record in world.store.runs(VIEW.name) if record.state == "open"]
        world.clock.set(NOW + 2 * GRACE_MS)
        compactor(world).execute(last="2000-01-01")
        assert attempts(world) >= left
        if ending == "finished":
            world.store.materialize_incremental()
        else:
            world.store.abandon(VIEW.name, open_run)
        ended = world.clock.now_ms()
        rows_before, answered = rows(world), answers(world)
        world.clock.set(ended + GRACE_MS - 1)
        compactor(world).execute(last="2000-01-01")
        assert attempts(world) >= left
        world.clock.set(ended + GRACE_MS)
        compactor(world).execute(last="2000-01-01")
        assert attempts(world) == {run for _, run in pointers(world)}
        assert rows(world) == rows_before
        world.clock.set(ended)
        assert answers(world) == answered


def test_what_a_failed_compaction_wrote_is_deleted_a_day_later() -> None:
    """Another may come to its end before; then what that replaced waits for a day of its own."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        cloud.faults.fail_query(containing="purpose=compact", skip=1)
        before = attempts(world)
        with pytest.raises(AsofError, match="injected"):
            compactor(world).execute()
        (failed,) = attempts(world) - before
        world.clock.set(NOW + GRACE_MS - 1)
        (made,) = compactor(world).execute()
        assert attempts(world) == before | {failed, made.attempt}
        world.clock.set(NOW + GRACE_MS + 1)
        compactor(world).execute(last="2000-01-01")
        assert attempts(world) == before | {made.attempt}
        world.clock.set(NOW + 2 * GRACE_MS)
        compactor(world).execute(last="2000-01-01")
        assert attempts(world) == {run for _, run in pointers(world)}


def test_a_swap_that_was_left_unfinished_keeps_what_it_wrote() -> None:
    """It was checked, so whoever compacts next makes it visible, however much later."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        before = rows(world)
        cloud.faults.error("glue", "BatchCreatePartition", "AccessDeniedException", containing=f'"{TABLE}"')
        with pytest.raises(ClientError, match="AccessDenied"):
            compactor(world).execute()
        (checked,) = compactions(world.store.services, VIEW)
        assert checked.stage == "checked"
        world.clock.set(NOW + 2 * GRACE_MS)
        compactor(world).execute(last="2000-01-01")
        assert rows(world) == before
        assert checked.attempt in {run for _, run in pointers(world)}


def test_rows_that_are_not_the_old_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the query for the rows left some out, nothing changes."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        before = pointers(world)

        def lossy(*arguments: Any) -> Any:
            return compacted(*arguments).limit(7)

        monkeypatch.setattr("asof.materialize.compact.compacted", lossy)
        with pytest.raises(CheckFailedError, match="'lost'"):
            compactor(world).execute()
        assert pointers(world) == before
        assert compactions(world.store.services, VIEW) == []


def test_the_command() -> None:
    """It says what it swapped; a repetition has nothing to do."""
    with LocalCloud() as cloud:
        world = a_world(cloud, runs=3)
        services, before = world.store.services, rows(world)
        publish(services.s3, services.environment, world.manifest, clock=services.clock)
        command = ["compact", VIEW.name, "--env", "test", "--last", utc_date(START + DAY_MS)]
        done = CliRunner().invoke(main, [*command, "--json"])
        (swapped,) = json.loads(done.output)
        assert swapped["partitions before"] > swapped["partitions after"] == 2
        assert rows(world) == before
        assert "nothing to do" in CliRunner().invoke(main, command).output


def test_units_are_bounded() -> None:
    """In dates and in partitions; a date is never divided."""
    dates = {f"2024-01-{day:02d}": ["a"] * 40 for day in range(1, 11)}
    assert [len(unit) for unit in units(dates, most_dates=4)] == [4, 4, 2]
    assert [len(unit) for unit in units(dates, most_partitions=100)] == [2] * 5
    assert [len(unit) for unit in units(dates, most_partitions=1)] == [1] * 10
    assert list(units({})) == []

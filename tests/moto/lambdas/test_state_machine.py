"""The deployed functions, driven by the deployed state machine: the same final state as the runner's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asof.clock import DAY_MS, ManualClock, iso
from asof.errors import RequestError, RunFailedError
from asof.local import LocalCloud
from asof.materialize.lease import acquire
from tests.support.asl import Stopped, TaskError
from tests.support.deployed import ARN, Context, Deployed, functions
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

NOW = 20_000 * DAY_MS + HOUR  # the run's rows fall on two dates
VIEW = an_aggregation_view(freshness_ms=2 * HOUR)
EVENT = json.loads((Path(__file__).parents[2] / "events" / "scheduled_run.json").read_text())
ROWS = [
    {"origin": origin, "delay": 0.1 * i, "departed_at": NOW - 5 * HOUR + i * 25 * MINUTE}
    for i in range(12)
    for origin in ("JFK", "LGA")
] + [{"origin": None, "delay": 1.0, "departed_at": NOW - 1}]


def a_world(cloud: LocalCloud) -> World:
    """A source with rows, an hour of them published, and three hours waiting."""
    world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW - 3 * HOUR))
    topic = world.store.services.environment.named("alarms")
    cloud.session().client("sns").create_topic(Name=topic)
    world.arrive(ROWS)
    world.store.materialize_incremental()
    world.clock.set(NOW)
    return world


def state(world: World) -> dict[str, Any]:
    """What users can see, but for when and by whom it was written."""
    items = world.cloud.session().client("dynamodb").scan(TableName=world.store.services.environment.online_table)
    hidden = ("created_timestamp", "run")
    return {
        "history": [{k: v for k, v in row.items() if k not in hidden} for row in world.history(VIEW)],
        "items": sorted((i["pk"]["S"], i["sk"]["S"], i.get("v"), i.get("e"), i.get("w")) for i in items["Items"]),
        "watermark": world.store.watermark(VIEW.name),
        "runs": [(record.state, record.rows, record.quarantined) for record in world.store.runs(VIEW.name)],
    }


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """The state after the in-process runner has done the same work."""
    with LocalCloud() as cloud:
        world = a_world(cloud)
        world.store.materialize_incremental()
        return state(world)


@pytest.fixture
def world() -> Iterator[World]:
    """A world with three hours waiting."""
    with LocalCloud() as cloud:
        yield a_world(cloud)


def lease_is_free(world: World) -> bool:
    """Whether somebody else could begin at once."""
    services = world.store.services
    table = services.environment.control_table
    acquire(services.dynamodb, table, VIEW.reference, "somebody else", services.clock).release()
    return True


def once(name: str, error: Exception) -> Callable[[str], None]:
    """Fails the first task of that name."""
    left = [error]

    def fail(task: str) -> None:
        if task == name and left:
            raise left.pop()

    return fail


def test_it_ends_like_the_runner(world: World, undisturbed: dict[str, Any]) -> None:
    """The event of a schedule; afterwards a second one finds nothing to do."""
    deployed = Deployed(world.store.services)
    assert deployed.run(**EVENT)["again"] is False
    assert state(world) == undisturbed
    assert deployed.run(**EVENT)["idle"] is True
    assert lease_is_free(world)


@pytest.mark.parametrize("part", range(4))
def test_stopped_before_any_state_and_started_again_it_ends_the_same(part: int, undisturbed: dict[str, Any]) -> None:
    """The stopped execution cannot give its lease back; the next one sees that it has ended, and takes it."""
    stop = part
    while True:
        with LocalCloud() as cloud:
            world = a_world(cloud)
            deployed = Deployed(world.store.services)
            try:
                deployed.machine(stop_before=stop).run(EVENT)
            except Stopped:
                deployed.run(**EVENT)
                assert state(world) == undisturbed, stop
                assert lease_is_free(world)
            else:
                assert stop > 20
                return
        stop += 4


@pytest.mark.parametrize("name", ["begin", "step", "load_plan", "load", "publish"])
def test_a_function_that_fails_once_is_tried_again(name: str, world: World, undisturbed: dict[str, Any]) -> None:
    """A timeout, for one."""
    Deployed(world.store.services, once(name, TimeoutError("Task timed out"))).run(**EVENT)
    assert state(world) == undisturbed


@pytest.mark.parametrize("query", ["counts", "compute", "check", "load"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_query_that_fails_once_is_run_again_as_a_new_attempt(
    query: str, when: Any, world: World, undisturbed: dict[str, Any]
) -> None:
    """What the failed one has written is never taken for the other's."""
    world.cloud.faults.fail_query(containing=f"purpose={query}", when=when)
    Deployed(world.store.services).run(**EVENT)
    assert state(world) == undisturbed


def test_a_query_that_keeps_failing_fails_the_run_loudly(world: World) -> None:
    """The lease is given back, the run says why, people are told; the next run finishes it."""
    topic_arn, queue_url = subscribed(world)
    before = state(world)
    world.cloud.faults.fail_query(containing="purpose=compute", times=3)
    with pytest.raises(TaskError, match="MaterializationError"):
        Deployed(world.store.services).run(**EVENT)
    left_open = world.store.runs(VIEW.name)[-1]
    assert left_open.state == "open"
    assert "attempt 3 of 3" in left_open.error
    assert {**state(world), "runs": None} == {**before, "runs": None}
    assert lease_is_free(world)
    message = json.loads(world.cloud.session().client("sqs").receive_message(QueueUrl=queue_url)["Messages"][0]["Body"])
    assert message["TopicArn"] == topic_arn
    assert VIEW.reference in message["Subject"]
    assert "attempt 3 of 3" in message["Message"]
    Deployed(world.store.services).run(**EVENT)
    assert [record.state for record in world.store.runs(VIEW.name)] == ["published", "published"]


def subscribed(world: World) -> tuple[str, str]:
    """The topic of alarms, and a queue that hears it."""
    session = world.cloud.session()
    sns, sqs = session.client("sns"), session.client("sqs")
    (topic,) = sns.list_topics()["Topics"]
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=queue)
    return topic["TopicArn"], url


def test_a_check_that_fails_is_not_tried_again(world: World) -> None:
    """Nothing becomes visible; the error names the rows."""
    before = state(world)["history"]
    deployed = Deployed(world.store.services)
    machine = deployed.machine()
    machine.tasks = {**machine.tasks, "athena:startQueryExecution.sync": spoiling(machine.tasks)}
    with pytest.raises(TaskError, match="CheckFailedError") as caught:
        machine.run(EVENT)
    assert "not yet available" in caught.value.cause
    assert state(world)["history"] == before
    assert lease_is_free(world)


def spoiling(tasks: Any) -> Callable[[Any], Any]:
    """Athena, but the clock of the run is set back before the check, so that its rows seem to come from the future."""

    def query(parameters: dict[str, Any]) -> Any:
        text = parameters["QueryString"]
        if "purpose=check" in text:
            parameters = {**parameters, "QueryString": text.replace(str(NOW), str(NOW - 10 * HOUR))}
        return tasks["athena:startQueryExecution.sync"](parameters)

    return query


def test_a_held_lease_is_waited_for(world: World) -> None:
    """An execution that runs, or a runner elsewhere, is not disturbed."""
    services = world.store.services
    table = services.environment.control_table
    acquire(services.dynamodb, table, VIEW.reference, "a runner elsewhere", services.clock)
    with pytest.raises(TaskError) as caught:
        Deployed(services).run(**EVENT)
    assert "LeaseHeldError" in caught.value.cause
    assert world.store.runs(VIEW.name)[-1].state == "published"


def test_an_older_run_is_finished_before_what_is_asked(world: World) -> None:
    """A backfill is asked for while an incremental run lies open: both are done, in one execution."""
    deployed = Deployed(world.store.services)
    with pytest.raises(Stopped):
        deployed.machine(stop_before=8).run(EVENT)
    asked = {"view": VIEW.name, "kind": "backfill", "start": iso(NOW - 9 * HOUR), "end": iso(NOW), "chunk": "2h"}
    deployed.run(**asked)
    runs = world.store.runs(VIEW.name)
    assert [(record.run.kind, record.state) for record in runs] == [
        ("incremental", "published"),
        ("incremental", "published"),
        ("backfill", "published"),
    ]
    assert len(runs[-1].run.chunks) > 2


def test_a_big_object_is_loaded_in_several_calls(world: World, undisturbed: dict[str, Any]) -> None:
    """A call stops while there is time; the next goes on after the line it came to."""
    services = world.store.services
    deployed = Deployed(services)
    machine = deployed.machine()
    calls: list[dict[str, Any]] = []

    def invoke(parameters: dict[str, Any]) -> Any:
        if not parameters["FunctionName"].endswith("-load"):
            return deployed._invoke(parameters)
        with functions(services) as call:
            calls.append(call("load", parameters["Payload"], Context(0)))
        return {"Payload": calls[-1]}

    machine.tasks = {**machine.tasks, "lambda:invoke": invoke}
    machine.run(EVENT)
    assert [(each["lines"], each["done"]) for each in calls] == [(1, False), (2, False), (2, True)]
    assert state(world) == undisturbed


def test_publishing_twice_does_not_take_the_lease_back(world: World) -> None:
    """The repetition of a call whose answer was lost, after another run has begun."""
    deployed = Deployed(world.store.services)
    machine = deployed.machine()
    seen: list[Any] = []

    def invoke(parameters: dict[str, Any]) -> Any:
        if parameters["FunctionName"].endswith("-publish"):
            seen.append(parameters["Payload"])
        return deployed._invoke(parameters)

    machine.tasks = {**machine.tasks, "lambda:invoke": invoke}
    machine.run(EVENT)
    services = world.store.services
    other = acquire(services.dynamodb, services.environment.control_table, VIEW.reference, "other", services.clock)
    with functions(services) as call:
        call("publish", seen[0])
    other.renew()  # raises where it is lost
    other.release()


def test_an_object_that_cannot_be_loaded_fails_the_run_with_its_reason(world: World) -> None:
    """The watermark stays where it was, so nobody takes missing rows for served ones; the next run loads them."""
    before = world.store.watermark(VIEW.name)
    deployed = Deployed(world.store.services)
    machine = deployed.machine()

    def invoke(parameters: dict[str, Any]) -> Any:
        if parameters["FunctionName"].endswith("-load"):
            raise TaskError("OnlineStoreError", json.dumps({"errorMessage": "the table refuses"}))
        return deployed._invoke(parameters)

    machine.tasks = {**machine.tasks, "lambda:invoke": invoke}
    with pytest.raises(TaskError, match="1 of 1 objects could not be written") as caught:
        machine.run(EVENT)
    assert "the table refuses" in caught.value.cause
    assert world.store.watermark(VIEW.name) == before
    assert "the table refuses" in world.store.runs(VIEW.name)[-1].error
    assert lease_is_free(world)
    deployed.run(**EVENT)
    assert [record.state for record in world.store.runs(VIEW.name)] == ["published", "published"]


def test_an_execution_that_begins_twice_does_not_ask_for_its_own_run_again(world: World) -> None:
    """A call of begin whose answer was lost has planned the whole backfill already."""
    asked = {"view": VIEW.name, "kind": "backfill", "start": iso(NOW - 9 * HOUR), "end": iso(NOW), "chunk": "2h"}
    with functions(world.store.services) as call:
        first, second = (call("begin", {"request": asked, "execution": ARN.format("one")}) for _ in range(2))
    assert first["run_id"] == second["run_id"]
    assert (first["again"], second["again"]) == (False, False)
    assert second["lease"]["token"] > first["lease"]["token"]


def test_a_failed_execution_begins_again_where_it_is_redriven(world: World) -> None:
    """And fails where it is not: what tells is how often it was redriven when the failure was recorded."""
    state = {"request": {"view": VIEW.name, "kind": "incremental"}, "view": VIEW.reference, "run_id": "r"}
    failed = {"error": {"Error": "X", "Cause": "why"}, "failed": {"execution": {"Id": "arn", "RedriveCount": 1}}}
    with functions(world.store.services) as call:
        again = call("fail", {"state": {**state, **failed}, "execution": {"Id": "arn", "RedriveCount": 2}})
        assert again == state["request"]
        with pytest.raises(RunFailedError, match="X: why"):
            call("fail", {"state": {**state, **failed}, "execution": {"Id": "arn", "RedriveCount": 1}})


def test_an_input_without_a_view_is_refused_in_words(world: World) -> None:
    with functions(world.store.services) as call, pytest.raises(RequestError, match="names no view"):
        call("begin", {"request": {"views": [VIEW.name]}, "execution": ARN.format("one")})


def test_a_step_of_an_unknown_run_is_refused(world: World) -> None:
    with functions(world.store.services) as call, pytest.raises(Exception, match="no run 'nope'"):
        call("step", {"view": VIEW.name, "lease": {"owner": "me", "token": 1}, "run_id": "nope", "chunk": 0})

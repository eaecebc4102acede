"""Least privilege: every call a function makes is granted to it, and every grant is for a call it makes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from asof.clock import DAY_MS, ManualClock
from asof.local import LocalCloud
from asof.materialize.services import Services
from asof.names import history_table, staging_table
from asof.online.signed import SignedDynamoDB
from infra.permissions import FUNCTIONS, STAGES
from infra.places import Places
from tests.support.asl import Stopped, TaskError
from tests.support.deployed import Deployed, functions, handler_of
from tests.support.iam import Need, covers, needs
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

NOW = 20_000 * DAY_MS
VIEW = an_aggregation_view(freshness_ms=HOUR)
EVENT = {"view": VIEW.reference, "kind": "incremental"}

THROUGH_S3 = {("load", "s3:ListBucket")}
"""What the table of calls asks for and the function can do without: it only reads objects that are there."""


class Recorder:
    """Every call by the function that makes it."""

    def __init__(self, session: boto3.Session) -> None:
        self.now = "nobody"
        self.calls: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
        events: Any = session.events
        events.register("before-parameter-build", self._record)

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        service = {"sfn": "stepfunctions"}.get(model.service_model.service_name, model.service_model.service_name)
        self.calls[self.now].append((service, model.name, dict(params)))


class Watched(Deployed):
    """The state machine with functions that are watched; each call is made twice, as a lost answer would make it."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        super().__init__(world.store.services)
        self._world, self._recorder = world, recorder

    def _invoke(self, parameters: dict[str, Any]) -> Any:
        name = parameters["FunctionName"].removeprefix(self.places.function(""))
        if name == "publish":
            self._leave_something_staged(parameters["Payload"]["run_id"])
        self._recorder.now = name
        try:
            if name == "step":
                super()._invoke(parameters)
            return super()._invoke(parameters)
        finally:
            self._recorder.now = "nobody"

    def _leave_something_staged(self, run_id: str) -> None:
        """What a killed attempt leaves behind."""
        database, table = self._world.store.services.environment.database, staging_table(VIEW.name, VIEW.version)
        storage = self._world.glue.get_table(DatabaseName=database, Name=table)["Table"]["StorageDescriptor"]
        partition = {"Values": ["2026-01-01", f"{run_id}-killed"], "StorageDescriptor": storage}
        self._world.glue.create_partition(DatabaseName=database, TableName=table, PartitionInput=partition)


@pytest.fixture(scope="module")
def calls() -> Iterator[tuple[Places, dict[str, list[Need]]]]:
    """What every function needs, over runs that succeed, are stopped, and fail."""
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW))
        cloud.session().client("sns").create_topic(Name="asof-test-alarms")
        session = cloud.session()
        recorder = Recorder(session)
        services = Services.connect(world.store.services.environment, world.manifest, session, world.clock)
        world.store.services = services
        places = Places(services.environment, "aws", world.manifest)
        with patch.object(boto3, "DEFAULT_SESSION", session):
            work(world, recorder)
            deploy(world, recorder)
        found = {
            name: [need for call in made for need in needs(places, *call)] for name, made in recorder.calls.items()
        }
        found["online"] = lookups(places)
        yield places, found


def work(world: World, recorder: Recorder) -> None:
    """Runs: one that is stopped, one that finishes it and goes on, one whose rows fail the check."""
    world.arrive([{"origin": "JFK", "delay": 1.0, "departed_at": NOW - i * 20 * MINUTE} for i in range(9)])
    deployed = Watched(world, recorder)
    with pytest.raises(Stopped):
        deployed.machine(stop_before=6).run(EVENT)
    deployed.run(**EVENT)
    world.clock.set(NOW + HOUR)
    world.arrive([{"origin": "JFK", "delay": 2.0, "departed_at": NOW + 1}])
    machine = deployed.machine()
    query = machine.tasks["athena:startQueryExecution.sync"]

    def spoiled(parameters: dict[str, Any]) -> Any:
        text = parameters["QueryString"].replace(str(NOW + HOUR), str(NOW - DAY_MS))
        return query({**parameters, "QueryString": text if "purpose=check" in text else parameters["QueryString"]})

    machine.tasks = {**machine.tasks, "athena:startQueryExecution.sync": spoiled}
    with pytest.raises(TaskError, match="CheckFailedError"):
        machine.run(EVENT)
    recorder.now = "freshness"
    with functions(world.store.services) as call:
        call("freshness", {})
    recorder.now = "nobody"


def deploy(world: World, recorder: Recorder) -> None:
    """The custom resource, as guard, as maker of tables and as publisher; twice, and back to what was before."""
    module = handler_of("registry")
    environment = world.store.services.environment
    variables = {"ASOF_ENV": environment.name, "ASOF_ACCOUNT": environment.account, "ASOF_REGION": environment.region}
    digests = []
    for manifest in (world.manifest, a_manifest([VIEW, an_aggregation_view(version=2)], a_source())):
        text = manifest.to_json()
        digests.append(module.hashlib.sha256(text.encode()).hexdigest())
        with patch.object(module, "_bundled", lambda manifest=manifest: manifest), patch.dict("os.environ", variables):
            reword_table(world)
            for name, action in (("guard", "check"), ("tables", "tables"), ("registry", "publish")):
                recorder.now = name
                properties = {"Action": action, "Fingerprint": digests[-1]}
                module.act({"RequestType": "Create", "ResourceProperties": properties})
            rolled_back = {"Action": "publish", "Fingerprint": digests[0]}
            module.act({"RequestType": "Update", "ResourceProperties": rolled_back})
    recorder.now = "nobody"


def reword_table(world: World) -> None:
    """Give the history table other words than the definitions do, so that they have to be brought back."""
    database, name = world.store.services.environment.database, history_table(VIEW.name, VIEW.version)
    found = world.glue.get_table(DatabaseName=database, Name=name)["Table"]
    kept = ("Name", "Parameters", "PartitionKeys", "StorageDescriptor", "TableType")
    given: Any = {**{part: found[part] for part in kept}, "Description": "Other words"}
    world.glue.update_table(DatabaseName=database, TableInput=given)


def lookups(places: Places) -> list[Need]:
    """The reads of lookups, which no boto3 client makes: one entity of several views, and several entities."""
    made: list[Need] = []

    def call(_self: object, operation: str, request: dict[str, Any], items: str) -> Any:
        made.extend(needs(places, "dynamodb", operation, request))
        return {items: [] if items == "Items" else {}}

    with patch.object(SignedDynamoDB, "_call", call):
        client = SignedDynamoDB.__new__(SignedDynamoDB)
        table = places.environment.online_table
        client.query(TableName=table)
        client.batch_get_item(RequestItems={table: {}})
    return made


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_call_is_granted(name: str, calls: tuple[Places, dict[str, list[Need]]]) -> None:
    """With the deployed role the function could do its work."""
    places, found = calls
    grants = FUNCTIONS[name](places)
    assert found[name]
    missing = {need for need in found[name] if not any(covers(grant, need) for grant in grants)}
    assert {need for need in missing if (name, need[0]) not in THROUGH_S3} == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_grant_is_used(name: str, calls: tuple[Places, dict[str, list[Need]]]) -> None:
    """Each action on each resource, but for what another service does in the function's name."""
    places, found = calls
    unused = [
        (action, resource)
        for grant in FUNCTIONS[name](places)
        if not grant.through
        for action in grant.actions
        for resource in grant.resources
        if not any(covers(type(grant)((action,), (resource,)), need) for need in found[name])
    ]
    assert unused == []


def test_all_stages_were_watched(calls: tuple[Places, dict[str, list[Need]]]) -> None:
    """The tests above say something about each of them; and history tables were among what was touched."""
    assert set(STAGES) <= set(calls[1])
    assert history_table(VIEW.name, 1) in json.dumps(calls[1]["step"])

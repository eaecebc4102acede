"""Retirement: what goes, what stays, who is asked first, and a kill anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from asof.clock import ManualClock
from asof.errors import LeaseHeldError, RequestError, UnknownFeatureError, VersionInUseError
from asof.keys import WATERMARK_KEY
from asof.local import LocalCloud
from asof.local.faults import CrashPlan, Killed, crash_plans
from asof.local.provision import provision
from asof.manifest import FeatureReference, FeatureService, FeatureView, Manifest, OnDemandFeatureView, OnDemandInput
from asof.materialize.lease import LEASE_MS, acquire
from asof.materialize.ledger import LedgerReader
from asof.materialize.services import Services
from asof.monitor.status import count_items
from asof.offline.tables import ensure_tables
from asof.registry.publish import publish
from asof.registry.retire import Retirement, check_retirable, retire
from asof.registry.retired import retired_versions
from tests.support.boto import one_loader
from tests.support.manifests import ENTITY, a_passthrough_view, a_source

NOW = 1_700_000_000_000
OLD = a_passthrough_view(deprecated=True, data_fingerprint="1")
NEW = a_passthrough_view(version=2, data_fingerprint="2")
RETIRED = "last_departure@v1"


def a_manifest(*views: FeatureView, **parts: Any) -> Manifest:
    """A manifest of the old version, deprecated, and the new one, or of the views given."""
    return Manifest((ENTITY,), (a_source(),), views or (OLD, NEW), **parts)


@dataclasses.dataclass
class Store:
    """An environment where both versions have items and a watermark."""

    cloud: LocalCloud
    session: Any
    name: str = "test"
    manifest: Manifest = dataclasses.field(default_factory=a_manifest)

    def __post_init__(self) -> None:
        self.environment = self.cloud.environment(self.name)
        provision(self.session, self.environment)
        self.services = self.connect()
        self.dynamodb: Any = self.services.dynamodb
        publish(self.services.s3, self.environment, self.manifest, clock=self.services.clock)
        ensure_tables(self.services.glue, self.environment, self.manifest)
        for version in (1, 2):
            sort_key = f"last_departure@v{version}"
            for i in range(2):
                self.put(f"airport#s:{i}", sort_key, v={"B": bytes(9)}, e={"N": str(i)}, c={"N": str(i)})
            self.put(WATERMARK_KEY, sort_key, w={"N": str(NOW)})
            body = {"S": f'{{"first_ms": 1, "through_ms": {NOW}}}'}
            self.put(sort_key, "watermark", self.environment.control_table, body=body)

    def connect(self, crash: CrashPlan | None = None) -> Services:
        """The services somebody works with, who may be killed."""
        services = Services.connect(self.environment, self.manifest, self.session, ManualClock(NOW))
        for client in (services.s3, services.glue, services.dynamodb):
            if crash is not None:
                crash.attach(client)
        return services

    def put(self, pk: str, sk: str, table: str = "", **attributes: Any) -> None:
        """Put an item, into the online table unless another is named."""
        item = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
        self.dynamodb.put_item(TableName=table or self.environment.online_table, Item=item)

    def state(self) -> dict[str, Any]:
        """Everything that a retirement may touch."""
        environment, glue = self.environment, self.services.glue
        items = self.dynamodb.get_paginator("scan").paginate(TableName=environment.online_table)
        return {
            "items": sorted((each["pk"]["S"], each["sk"]["S"]) for page in items for each in page["Items"]),
            "watermarks": {
                reference: LedgerReader(self.dynamodb, environment.control_table).watermark(reference) is not None
                for reference in (RETIRED, NEW.reference)
            },
            "retired": retired_versions(self.services.s3, environment.registry_bucket),
            "tables": sorted(each["Name"] for each in glue.get_tables(DatabaseName=environment.database)["TableList"]),
        }


@pytest.fixture(autouse=True, scope="module")
def short_pages() -> Iterator[None]:
    """Several pages without as many items."""
    with one_loader(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("asof.registry.retire.PAGE_ITEMS", 3)
        yield


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in a local cloud of its own."""
    with LocalCloud() as cloud:
        yield Store(cloud, cloud.session())


def test_a_retired_version_has_no_items_and_no_watermark_and_its_neighbour_has_all(store: Store) -> None:
    """The history's tables stay; progress is told; a repetition changes nothing."""
    told: list[tuple[str, int, int]] = []
    before = store.state()
    done = retire(store.services, RETIRED, progress=lambda *each: told.append(each))
    assert done == Retirement(RETIRED, 2)
    assert len(told) >= 2
    assert told[-1][1] == told[-1][2]
    after = store.state()
    assert after["items"] == [each for each in before["items"] if each[1] == NEW.reference]
    assert after["watermarks"] == {RETIRED: False, NEW.reference: True}
    assert after["retired"] == {RETIRED}
    assert after["tables"] == before["tables"]
    assert retire(store.services, RETIRED) == done
    assert store.state() == after
    assert count_items(store.dynamodb, store.environment.online_table) == {NEW.reference: 2}


def test_nobody_materializes_a_retired_version(store: Store) -> None:
    """Its lease is held for good, however long one waits; so nobody is told to try again."""
    retire(store.services, RETIRED)
    with pytest.raises(RequestError, match=f"{RETIRED} is retired, so no run works on it any more"):
        acquire(
            store.dynamodb, store.environment.control_table, RETIRED, "run", ManualClock(NOW + 1_000 * LEASE_MS)
        )  # fmt: skip


def test_a_run_at_work_is_not_disturbed(store: Store) -> None:
    """Nothing is marked or deleted while it holds the lease."""
    before = store.state()
    lease = acquire(store.dynamodb, store.environment.control_table, RETIRED, "run", ManualClock(NOW))
    with pytest.raises(LeaseHeldError):
        retire(store.services, RETIRED)
    assert store.state() == before
    lease.release()
    assert retire(store.services, RETIRED).deleted == 2


def test_throttled_scans_and_deletions_are_tried_again(store: Store) -> None:
    """The client's own retries are off: the product's are what is seen here."""
    for operation in ("Scan", "DeleteItem"):
        store.cloud.faults.throttle("dynamodb", operation, times=2)
    assert retire(store.services, RETIRED).deleted == 2
    assert store.state()["watermarks"] == {RETIRED: False, NEW.reference: True}


PIN = FeatureReference("last_departure", 1, "delay")
SERVICE = FeatureService("model", 1, (PIN,), data_fingerprint="s")
ON_DEMAND = OnDemandFeatureView(
    "late", 1, (OnDemandInput("delay", "Float64", "last_departure", 1, "delay"),), (), "late", "", data_fingerprint="o"
)


@pytest.mark.parametrize(
    ("manifest", "drop_history", "why"),
    [
        (a_manifest(dataclasses.replace(OLD, deprecated=False), NEW), False, "in force; declare it deprecated"),
        (a_manifest(feature_services=(SERVICE,)), False, r"model@v1 still reads it"),
        (a_manifest(on_demand_feature_views=(ON_DEMAND,), feature_services=(SERVICE,)), False, r"late@v1, model@v1"),
        (a_manifest(), True, "tables belong to the deployed stack"),
    ],
    ids=["in force", "read by a service", "read on demand", "tables of the stack"],
)
def test_what_is_in_service_is_not_retired(store: Store, manifest: Manifest, drop_history: bool, why: str) -> None:
    """The error says why, and nothing was changed."""
    publish(store.services.s3, store.environment, manifest)
    before = store.state()
    with pytest.raises(VersionInUseError, match=why):
        retire(store.services, RETIRED, drop_history=drop_history)
    assert store.state() == before


def test_the_version_must_be_one_that_was_published(store: Store) -> None:
    """With the nearest names; a name without a version is not enough."""
    with pytest.raises(UnknownFeatureError, match="last_departure@v1"):
        retire(store.services, "last_departures@v1")
    with pytest.raises(RequestError, match="names no version"):
        retire(store.services, "last_departure")


def test_the_history_of_a_removed_version_can_be_dropped(store: Store) -> None:
    """Also after a retirement that kept it; the other version's tables stay."""
    publish(store.services.s3, store.environment, a_manifest(NEW))
    assert retire(store.services, RETIRED).dropped == ()
    done = retire(store.services, RETIRED, drop_history=True)
    assert done.dropped == ("last_departure_v1", "last_departure_v1__staging")
    assert store.state()["tables"] == ["last_departure_v2", "last_departure_v2__staging"]
    assert retire(store.services, RETIRED, drop_history=True).dropped == ()


def test_a_view_on_demand_has_nothing_to_delete(store: Store) -> None:
    """It is marked, so that it cannot come back."""
    deprecated = dataclasses.replace(ON_DEMAND, deprecated=True)
    publish(store.services.s3, store.environment, a_manifest(on_demand_feature_views=(deprecated,)))
    before = store.state()
    assert not check_retirable(store.services, "late@v1")
    assert retire(store.services, "late@v1") == Retirement("late@v1", 0)
    assert store.state() == {**before, "retired": {"late@v1"}}


def test_a_publication_in_between_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever put the version back into service between the look and the mark finds it in service, and unmarked."""
    manifests = iter([a_manifest(), a_manifest(feature_services=(SERVICE,))])
    monkeypatch.setattr("asof.registry.retire.read_manifest", lambda *_: next(manifests))
    before = store.state()
    with pytest.raises(VersionInUseError, match="model@v1"):
        retire(store.services, RETIRED)
    assert store.state() == before
    acquire(store.dynamodb, store.environment.control_table, RETIRED, "run", ManualClock(NOW)).release()


@pytest.fixture(scope="module")
def undisturbed() -> tuple[int, dict[str, Any]]:
    """The number of side effects of a retirement with its history, and what is left after it."""
    with LocalCloud() as cloud:
        store = Store(cloud, cloud.session())
        publish(store.services.s3, store.environment, a_manifest(NEW))
        count = CrashPlan()
        retire(store.connect(count), RETIRED, drop_history=True)
        return len(count.calls), store.state()


@pytest.mark.parametrize("part", range(3))
def test_a_kill_anywhere_and_a_repetition_end_like_an_undisturbed_retirement(
    part: int, undisturbed: tuple[int, dict[str, Any]]
) -> None:
    """The repetition need not wait for the dead one's lease; items are gone only where the mark stands."""
    calls, after = undisturbed
    assert calls >= 10
    with LocalCloud() as cloud:
        session = cloud.session()
        for i, plan in list(enumerate(crash_plans(calls)))[part::3]:
            store = Store(cloud, session, f"test-{i}")
            publish(store.services.s3, store.environment, a_manifest(NEW))
            before = store.state()
            with pytest.raises(Killed):
                retire(store.connect(plan), RETIRED, drop_history=True)
            halfway = store.state()
            assert halfway["retired"] == {RETIRED} or halfway == before
            retire(store.services, RETIRED, drop_history=True)
            assert store.state() == after, f"killed {plan.when} call {plan.kill_at}: {plan.calls[-1]}"

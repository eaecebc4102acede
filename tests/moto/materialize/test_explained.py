"""What ``explain`` prints is what happens: the queries asked, the registration and the publication, in that order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from asof.clock import DAY_MS, ManualClock, from_ms
from asof.local import LocalCloud
from asof.materialize.services import Services
from asof.names import history_table
from tests.support.deployed import Deployed
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

NOW = 20_000 * DAY_MS + 5 * HOUR
VIEW = an_aggregation_view()
QUERIES = {"counts": "count"}
"""Queries that are not named like their step."""


@pytest.fixture
def world() -> Iterator[World]:
    """Two days of events, a few of them without a key on both days."""
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW))
        topic = world.store.services.environment.named("alarms")
        cloud.session().client("sns").create_topic(Name=topic)
        times = range(NOW - 2 * DAY_MS, NOW, 50 * MINUTE)
        world.arrive(
            [{"origin": "JFK" if i % 5 else None, "delay": 1.0, "departed_at": t} for i, t in enumerate(times)]
        )
        yield world


def recorded(services: Services) -> list[str]:
    """The steps that show in calls, as they are made from now on: each query, registration and publication."""
    happened: list[str] = []
    history = history_table(VIEW.name, VIEW.version)

    def query(params: dict[str, Any], **_: Any) -> None:
        purpose = re.search(r"purpose=(\w+)", params["QueryString"])
        assert purpose is not None
        happened.append(QUERIES.get(purpose[1], purpose[1]))

    def registered(params: dict[str, Any], **_: Any) -> None:
        if params["TableName"] == history:
            happened.append("commit")

    def written(params: dict[str, Any], **_: Any) -> None:
        keys = [each["Put"]["Item"]["sk"]["S"] for each in params["TransactItems"] if "Put" in each]
        if "watermark" in keys:
            happened.append("publish")

    athena: Any = services.athena
    athena._client.meta.events.register("before-parameter-build.athena.StartQueryExecution", query)
    services.glue.meta.events.register("before-parameter-build.glue.BatchCreatePartition", registered)
    services.dynamodb.meta.events.register("before-parameter-build.dynamodb.TransactWriteItems", written)
    return happened


def explained(text: str) -> list[str]:
    """The steps of an explanation that are not over."""
    return re.findall(r"^  \[ \] (\w+)", text, re.MULTILINE)


def test_the_runner_does_what_was_explained(world: World) -> None:
    """A backfill of three chunks, one after the other, with rows to set aside in each."""
    start, end = from_ms(NOW - 2 * DAY_MS), from_ms(NOW)
    promised = explained(world.store.explain(VIEW.name, start, end, chunk="1d"))
    happened = recorded(world.store.services)
    world.store.backfill(VIEW.name, start, end, chunk="1d", workers=1)
    assert promised == ["count", "quarantine", "compute", "check", "commit"] * 3 + ["load", "publish"]
    assert happened == promised


def test_the_state_machine_does_what_was_explained(world: World) -> None:
    """The same list, by the deployed functions."""
    promised = explained(world.store.explain(VIEW.name))
    happened = recorded(world.store.services)
    Deployed(world.store.services).run(view=VIEW.name, kind="incremental")
    assert happened == promised == ["count", "quarantine", "compute", "check", "commit", "load", "publish"]

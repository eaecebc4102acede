"""The role of the Glue jobs: every call of their own code is granted. Spark's own calls are in no client's record."""

from __future__ import annotations

from typing import Any

from asof.clock import DAY_MS, ManualClock
from asof.local import LocalCloud
from asof.materialize.compact import GRACE_MS, Compactor
from asof.materialize.lifecycle import RunRequest
from asof.materialize.runner import Runner
from asof.materialize.services import Services
from asof.offline.sources import check_source
from asof.registry.publish import publish, read_manifest
from infra.permissions import glue_jobs
from infra.places import Places
from tests.support.iam import covers, needs
from tests.support.manifests import HOUR, MINUTE, a_source, an_aggregation_view
from tests.support.world import SOURCE_BUCKET, World, a_manifest

START = 20_000 * DAY_MS
ROWS = [{"origin": "JFK", "delay": 0.5, "departed_at": START + i * 35 * MINUTE} for i in range(60)]


def test_every_call_is_granted() -> None:
    """Of a backfill from its beginning, of a compaction, and of the deletion of what it replaced."""
    calls: list[tuple[str, str, dict[str, Any]]] = []
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([an_aggregation_view()], a_source()), ManualClock(START + HOUR))
        world.arrive(ROWS)
        plain = world.store.services
        publish(plain.s3, plain.environment, world.manifest, clock=world.clock)
        session: Any = cloud.session()
        session.events.register(
            "before-parameter-build",
            lambda params, model, **_: calls.append((model.service_model.service_name, model.name, dict(params))),
        )
        manifest = read_manifest(session.client("s3"), plain.environment)
        services = Services.connect(plain.environment, manifest, session, world.clock)
        view = world.store.views()[0]
        for end in (START + 8 * HOUR, START + 16 * HOUR, START + DAY_MS + HOUR):
            world.clock.set(end)
            check_source(services.glue, services.environment, services.source(view), services.s3)
            request = RunRequest("backfill", START, end)
            Runner(services, view).execute(request.planner(services, view))
        world.clock.set(START + 2 * DAY_MS)
        assert Compactor(services, view).execute()
        world.clock.set(START + 2 * DAY_MS + GRACE_MS)
        Compactor(services, view).execute()
    places = Places(plain.environment, "aws", world.manifest, (f"s3://{SOURCE_BUCKET}/departures",))
    grants = glue_jobs(places)
    asked = {
        need
        for service, operation, parameters in calls
        if service != "athena"
        for need in needs(places, service, operation, parameters)
    }
    assert len(asked) > 20
    assert sorted(need for need in asked if not any(covers(grant, need) for grant in grants)) == []

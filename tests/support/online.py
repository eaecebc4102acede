"""What tests of the online store share: views, rows, and a store under a manual clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asof.clock import ManualClock
from asof.keys import WATERMARK_KEY
from asof.manifest import Column, Entity, Feature, FeatureView, Manifest, OnDemandFeatureView, OnDemandInput
from asof.online.answers import ViewAnswer
from asof.online.layout import OnlineRow
from asof.online.reader import OnlineReader
from asof.online.retry import RetryPolicy
from asof.online.writer import OnlineWriter
from asof.references import resolve
from tests.support.fake_dynamodb import FaultyClient

TABLE = "asof-test-online"
NOW = 1_700_000_000_000
HOUR = 3_600_000

ROUTE = Entity("route", (Column("origin", "String"), Column("number", "Int64")))
AIRPORT = Entity("airport", (Column("origin", "String"),))

WEATHER = FeatureView(
    name="weather",
    version=2,
    entity="airport",
    source="raw",
    kind="passthrough",
    features=(Feature("wind", "Float64", default=-1.0), Feature("sky", "String")),
    ttl_ms=HOUR,
)
DEPARTURES = FeatureView(
    name="departures",
    version=1,
    entity="airport",
    source="raw",
    kind="aggregation",
    features=(Feature("count_1h", "Int64", default=0), Feature("delay_mean_1h", "Float64")),
    freshness_ms=HOUR,
)
ROUTES = FeatureView(
    name="routes",
    version=1,
    entity="route",
    source="raw",
    kind="passthrough",
    features=(Feature("distance", "Int64"), Feature("legs", "Int64", default=7)),
)
SPEED = OnDemandFeatureView(
    name="speed",
    version=1,
    inputs=(OnDemandInput("hours", "Float64"), OnDemandInput("legs", "Int64", "routes", 1, "legs")),
    features=(Feature("legs_per_hour", "Float64"),),
    function="speed",
    code="def speed(inputs):\n"
    "    hours = inputs['hours']\n"
    "    return {'legs_per_hour': inputs['legs'] / hours if hours else None}\n",
)
MANIFEST = Manifest(
    entities=(AIRPORT, ROUTE), feature_views=(DEPARTURES, ROUTES, WEATHER), on_demand_feature_views=(SPEED,)
)


@dataclass(frozen=True)
class Store:
    """A client that can be made to fail, with a writer and a reader over it, under one manual clock."""

    client: FaultyClient
    clock: ManualClock

    def policy(self, deadline_ms: int) -> RetryPolicy:
        """Retries whose waits only move the clock."""

        def sleep(seconds: float) -> None:
            self.clock.set(self.clock.now_ms() + math.ceil(seconds * 1000))

        return RetryPolicy(deadline_ms=deadline_ms, clock=self.clock, sleep=sleep, uniform=lambda: 0.5)

    def writer(self, deadline_ms: int = 10_000, workers: int = 4) -> OnlineWriter:
        """A writer."""
        return OnlineWriter(self.client, TABLE, retry=self.policy(deadline_ms), workers=workers)

    def reader(self, deadline_ms: int = 1_000, consistent: bool = False) -> OnlineReader:
        """A reader."""
        retry = self.policy(deadline_ms)
        return OnlineReader(self.client, TABLE, clock=self.clock, retry=retry, consistent=consistent)

    def put(self, view: FeatureView, *rows: OnlineRow) -> None:
        """Writes rows of a view of ``MANIFEST`` and forgets the calls it took."""
        self.writer().write(view, MANIFEST.entity(view.entity), rows)
        self.client.calls.clear()

    def publish_watermark(self, view: FeatureView, as_of_ms: int) -> None:
        """The watermark as a run's last transaction leaves it."""
        item = {"pk": {"S": WATERMARK_KEY}, "sk": {"S": view.reference}, "w": {"N": str(as_of_ms)}}
        self.client.put_item(TableName=TABLE, Item=item)

    def read(self, features: str | Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[ViewAnswer]:
        """What a fresh reader answers."""
        return self.reader().read(resolve(MANIFEST, features).views, rows)


def a_store(inner: Any) -> Store:
    """A store over any client, at ``NOW``."""
    clock = ManualClock(NOW)
    return Store(FaultyClient(inner, clock), clock)


def weather(origin: str, wind: float | None, age_ms: int = 0, created_ms: int | None = None) -> OnlineRow:
    """A row of ``WEATHER`` whose event is ``age_ms`` before ``NOW``."""
    return OnlineRow((origin,), NOW - age_ms, created_ms, (wind, "clear"))


def departures(origin: str, count: int, age_ms: int = 0) -> OnlineRow:
    """A row of ``DEPARTURES``."""
    return OnlineRow((origin,), NOW - age_ms, None, (count, None))

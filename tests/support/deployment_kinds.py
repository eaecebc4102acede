"""A store with a feature of every type, and rows whose values are hard to carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import Any, Final

from asof.manifest import Manifest
from asof.online.layout import OnlineRow
from asof.online.writer import OnlineWriter

DEFINITIONS: Final = """\
from asof.definitions import (
    Array, BatchSource, Bool, Date, Embedding, Entity, FeatureService, FeatureView, Field, Float64, Int64, String,
    Timestamp,
)

airport = Entity(name="airport", join_keys={"origin": String})
flight = Entity(name="flight", join_keys={"carrier": String, "number": Int64})

scalars = {"whole": Int64, "broken": Float64, "yes": Bool, "text": String, "instant": Timestamp, "day": Date}
lists = {
    "wholes": Array(Int64), "brokens": Array(Float64), "yeses": Array(Bool), "texts": Array(String),
    "vector": Embedding(3),
}
facts = BatchSource(name="facts", table="nyc.facts", timestamp_field="at", schema={"origin": String, **scalars})
more = BatchSource(name="more", table="nyc.more", timestamp_field="at", schema={"origin": String, **lists})
legs = BatchSource(
    name="legs", table="nyc.legs", timestamp_field="at", schema={"carrier": String, "number": Int64, "distance": Int64},
)

airport_facts = FeatureView(
    name="airport_facts", version=1, entity=airport, source=facts, schedule="1h", ttl="1d",
    schema=[Field(name=name, dtype=dtype, default=7 if name == "whole" else None) for name, dtype in scalars.items()],
)
airport_lists = FeatureView(
    name="airport_lists", version=1, entity=airport, source=more, schedule="1h",
    schema=[Field(name=name, dtype=dtype) for name, dtype in lists.items()],
)
flight_legs = FeatureView(
    name="flight_legs", version=1, entity=flight, source=legs, schedule="1h",
    schema=[Field(name="distance", dtype=Int64), Field(name="whole", dtype=Int64, default=-1)],
    sql="SELECT carrier, number, at, distance, distance AS whole FROM legs",
)
everything = FeatureService(name="everything", version=1, features=[airport_facts, airport_lists])
"""

INSTANT: Final = datetime(2026, 3, 10, 11, 21, 0, 5_000, tzinfo=timezone.utc)
DAY: Final = date(2026, 3, 10)
HOUR_MS: Final = 3_600_000

FACTS: Final[dict[str, tuple[Any, ...]]] = {
    "JFK": (1, 0.1, True, "plain", INSTANT, DAY),
    "LGA": (2**53 + 1, 5e-324, False, "", INSTANT, DAY),
    "EWR": (-(2**63), -1.7976931348623157e308, True, 'é\n\U0001f600 "quoted"', INSTANT, DAY),
    "BOS": (2**63 - 1, 1.0, False, "1", INSTANT, DAY),
    "NUL": (None, None, None, None, None, None),
    "NAN": (0, math.nan, True, "NaN", INSTANT, DAY),
    "INF": (0, math.inf, True, "Infinity", INSTANT, DAY),
    "NEG": (0, -math.inf, True, "null", INSTANT, DAY),
}
LISTS: Final[dict[str, tuple[Any, ...]]] = {
    "JFK": ([1, 2**53 + 1], [0.1, 2.0], [True, False], ["a", ""], [0.5, -1.25, 3.0]),
    "LGA": ([-1], [5e-324], [False], ["é"], [0.0, 0.0, 0.0]),
    "NUL": (None, None, None, None, None),
    "NIL": ([], [], [], [], [0.0, 0.0, 0.0]),
    "NAN": ([1], [1.0, math.nan, -math.inf], [True], ["NaN"], [0.0, math.nan, 0.0]),
}
LEGS: Final[dict[tuple[str, int], tuple[Any, ...]]] = {("UA", 1): (733, 5), ("UA", 2): (1_400, None), ("B6", 1): (0, 0)}
OLD: Final = "OLD"
"""An airport whose facts are older than their time-to-live."""


def fill_online(client: Any, table: str, manifest: Manifest, now_ms: int) -> None:
    """Write all rows to the online table, an hour old; those of ``OLD`` two days."""
    views = {view.name: view for view in manifest.feature_views}
    writer = OnlineWriter(client, table)

    def write(view: str, rows: Sequence[OnlineRow]) -> None:
        writer.write(views[view], manifest.entity(views[view].entity), rows)

    hour_ago = now_ms - HOUR_MS
    facts = [OnlineRow((key,), hour_ago, None, values) for key, values in FACTS.items()]
    write("airport_facts", [*facts, OnlineRow((OLD,), now_ms - 48 * HOUR_MS, None, FACTS["JFK"])])
    write("airport_lists", [OnlineRow((key,), hour_ago, None, values) for key, values in LISTS.items()])
    write("flight_legs", [OnlineRow(key, hour_ago, None, values) for key, values in LEGS.items()])

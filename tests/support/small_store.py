"""A store small enough to deploy in a test: departures by the hour, weather by the observation, one service."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from asof.clock import to_ms
from examples.flights import lake

NOW: Final = datetime.fromisoformat("2026-03-10T12:20:00+00:00")
NOW_MS: Final = to_ms(NOW)
BUCKET: Final = "raw-data"
ORIGINS: Final = ("EWR", "JFK", "LGA")

DEFINITIONS: Final = """\
from asof.definitions import (
    Aggregation, BatchSource, Entity, FeatureService, FeatureView, Field, Float64, Int64, String,
)

airport = Entity(name="airport", join_keys={"origin": String}, description="Where flights begin.")

departures = BatchSource(
    name="departures", table="nyc.departures", timestamp_field="departed_at", date_partition_column="departed_on",
    schema={"origin": String, "dep_delay": Float64},
)
weather = BatchSource(
    name="weather", table="nyc.weather", timestamp_field="observed_at",
    schema={"origin": String, "temp": Float64, "gusts": Int64},
)

airport_departures = FeatureView(
    name="airport_departures", version=1, entity=airport, source=departures, schedule="1h",
    aggregations=[
        Aggregation(function="count", time_windows=["3h"]),
        Aggregation(function="mean", column="dep_delay", time_windows=["3h", "24h"]),
    ],
    freshness="3h", owner="airports-team", description="How busy an airport is.",
)
airport_weather = FeatureView(
    name="airport_weather", version=1, entity=airport, source=weather, schedule="1h", ttl="6h",
    schema=[Field(name="temp", dtype=Float64), Field(name="gusts", dtype=Int64, default=0)],
    owner="airports-team", description="The last observation.",
)
delays = FeatureService(
    name="delays", version=1, features=[airport_departures, airport_weather[["temp"]]], owner="airports-team",
)
"""


def tables() -> dict[str, pa.Table]:
    """Two days of raw data up to NOW: a departure every 7 minutes, an observation every 31, some values missing."""
    start = (NOW - timedelta(days=2)).replace(tzinfo=None)
    minutes = 2 * 24 * 60
    departed = [
        (ORIGINS[i % 3], start + timedelta(minutes=at), None if i % 11 == 0 else float(i % 40) - 5.0)
        for i, at in enumerate(range(0, minutes, 7))
    ]
    observed = [
        (ORIGINS[i % 2], start + timedelta(minutes=at), 10.5 + i % 9, None if i % 4 == 0 else i % 30)
        for i, at in enumerate(range(0, minutes, 31))
    ]
    departures: dict[str, list[Any]] = {
        "origin": [row[0] for row in departed],
        "departed_at": [row[1] for row in departed],
        "dep_delay": [row[2] for row in departed],
        "departed_on": [row[1].date().isoformat() for row in departed],
    }
    weather: dict[str, list[Any]] = {
        "origin": [row[0] for row in observed],
        "observed_at": [row[1] for row in observed],
        "temp": [row[2] for row in observed],
        "gusts": [row[3] for row in observed],
    }
    return {
        "departures": pa.table(departures).set_column(1, "departed_at", _times(departures["departed_at"])),
        "weather": pa.table(weather).set_column(1, "observed_at", _times(weather["observed_at"])),
    }


def fill(s3: Any, glue: Any, region: str) -> None:
    """Put the raw data where the definitions look for it."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    lake.write(tables(), s3=s3, glue=glue, bucket=BUCKET)


def _times(values: list[datetime]) -> pa.Array:
    return pa.array(values, pa.timestamp("ms"))

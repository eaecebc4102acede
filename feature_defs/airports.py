"""How busy and how late an airport is."""

from asof.definitions import Aggregation, FeatureView
from feature_defs.entities import airport
from feature_defs.sources import departures

airport_departures = FeatureView(
    name="airport_departures",
    entity=airport,
    source=departures,
    where="NOT cancelled",
    aggregations=[
        Aggregation(function="count", time_windows=["1h", "3h", "24h"]),
        Aggregation(function="mean", column="dep_delay", time_windows=["1h", "3h", "24h"]),
    ],
    schedule="1h",
    publish_delay="5m",
    # New York sleeps: up to 6.4 hours of a night nothing leaves, and up to 1.1 hours more pass until the next run.
    freshness="8h",
    defaults={"count_1h": 0, "count_3h": 0, "count_24h": 0},
    description="Departures and their mean delay in minutes over the last hours",
    owner="flight-ops",
)

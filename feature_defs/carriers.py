"""How punctual an airline is."""

from asof.definitions import Aggregation, FeatureView
from feature_defs.entities import carrier
from feature_defs.sources import departures

carrier_punctuality = FeatureView(
    name="carrier_punctuality",
    entity=carrier,
    source=departures,
    where="NOT cancelled",
    aggregations=[
        Aggregation(function="count", time_windows=["24h", "7d"], name="departures"),
        Aggregation(function="mean", column="dep_delay", time_windows=["24h", "7d"], name="mean_delay"),
        Aggregation(function="mean", column="dep_del15", time_windows=["24h", "7d"], name="share_late"),
    ],
    schedule="1h",
    publish_delay="5m",
    # New York sleeps: up to 6.4 hours of a night nothing leaves, and up to 1.1 hours more pass until the next run.
    freshness="8h",
    description="An airline's departures, their mean delay in minutes, and the share that left 15 minutes late or more",
    owner="flight-ops",
)

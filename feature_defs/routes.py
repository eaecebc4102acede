"""How late flights between two airports leave."""

from asof.definitions import Aggregation, Every, FeatureView
from feature_defs.entities import route
from feature_defs.sources import departures

route_departures = FeatureView(
    name="route_departures",
    entity=route,
    source=departures,
    where="NOT cancelled",
    aggregations=[
        Aggregation(function="count", time_window="7d", name="flights_7d", default=0),
        Aggregation(function="mean", column="dep_delay", time_window="7d", name="route_delay_7d"),
        Aggregation(function="stddev", column="dep_delay", time_window="7d", name="route_delay_spread_7d"),
    ],
    schedule=Every("1d", offset="5h"),  # midnight in New York, in winter
    publish_delay="5m",
    freshness="2d",
    description="A week of departures on a route: how many, their mean delay in minutes and its standard deviation",
    owner="network",
)

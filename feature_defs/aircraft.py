"""What an aircraft has been through, and what it is."""

from asof.definitions import Aggregation, FeatureView, Field, Int64, String
from feature_defs.entities import aircraft
from feature_defs.sources import arrivals, planes

# From arrivals, not departures: the delay of a flight in the air is not known yet.
aircraft_history = FeatureView(
    name="aircraft_history",
    entity=aircraft,
    source=arrivals,
    aggregations=[
        Aggregation(function="last", column="arr_delay", time_window="7d", name="last_arr_delay"),
        Aggregation(function="count", time_window="24h", name="legs_24h", default=0),
        Aggregation(function="max", column="arr_delay", time_window="7d", name="worst_arr_delay_7d"),
    ],
    schedule="1h",
    publish_delay="5m",
    # Up to 4.3 hours of a night nothing lands, and up to 1.1 hours more pass until the next run.
    freshness="6h",
    description="An aircraft's flights that have landed: the last one's delay, how many in a day, the worst in a week",
    owner="fleet",
)

aircraft_details = FeatureView(
    name="aircraft_details",
    entity=aircraft,
    source=planes,
    sql="""
        SELECT
            tailnum,
            listed_at,
            year AS built_in,
            seats,
            CASE
                WHEN manufacturer LIKE 'AIRBUS%' THEN 'AIRBUS'
                WHEN manufacturer LIKE 'MCDONNELL DOUGLAS%' THEN 'MCDONNELL DOUGLAS'
                ELSE manufacturer
            END AS maker
        FROM planes
    """,
    schema=[
        Field(name="built_in", dtype=Int64, description="The year it was built"),
        Field(name="seats", dtype=Int64),
        Field(name="maker", dtype=String, default="UNKNOWN", description="The manufacturer under one name"),
    ],
    schedule="1d",
    description="An aircraft as the register describes it",
    owner="fleet",
)

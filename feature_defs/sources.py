"""The tables the features are computed from; ``examples/flights`` writes them."""

from asof.definitions import BatchSource, Bool, Float64, Int64, String

departures = BatchSource(
    name="departures",
    table="nyc.departures",
    timestamp_field="departed_at",
    date_partition_column="departed_on",
    schema={
        "origin": String,
        "dest": String,
        "carrier": String,
        "tailnum": String,
        "dep_delay": Int64,
        "dep_del15": Int64,
        "cancelled": Bool,
    },
    description="Flights as they leave: delays in minutes, dep_del15 is 1 from 15 minutes on. Nothing about landing",
)

arrivals = BatchSource(
    name="arrivals",
    table="nyc.arrivals",
    timestamp_field="arrived_at",
    schema={"tailnum": String, "origin": String, "dest": String, "arr_delay": Int64, "air_time": Int64},
    description="Flights as they land: before that, nobody knows how late they arrive",
)

weather = BatchSource(
    name="weather",
    table="nyc.weather",
    timestamp_field="observed_at",
    created_timestamp_column="reported_at",
    lateness="2h",
    schema={
        "origin": String,
        "temp": Float64,
        "wind_speed": Float64,
        "precip": Float64,
        "visib": Float64,
    },
    description="Hourly observations at the airports, reported up to 50 minutes after they were made",
)

planes = BatchSource(
    name="planes",
    table="nyc.planes",
    timestamp_field="listed_at",
    schema={"tailnum": String, "year": Int64, "manufacturer": String, "seats": Int64, "engines": Int64},
    description="The register of aircraft",
)

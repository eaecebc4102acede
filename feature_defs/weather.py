"""The weather at an airport, from the moment it is reported."""

from asof.definitions import FeatureView, Field, Float64
from feature_defs.entities import airport
from feature_defs.sources import weather

airport_weather = FeatureView(
    name="airport_weather",
    entity=airport,
    source=weather,
    schema=[
        Field(name="temp", dtype=Float64, description="Degrees Fahrenheit"),
        Field(name="wind_speed", dtype=Float64, description="Miles per hour"),
        Field(name="precip", dtype=Float64, description="Inches in the hour"),
        Field(name="visib", dtype=Float64, description="Miles"),
    ],
    schedule="1h",
    ttl="3h",
    # The airports observe every hour, by night too, and report within the hour; two hours is as old as it should get.
    freshness="3h",
    description="The latest observation, as long as it is not older than three hours",
    owner="flight-ops",
)

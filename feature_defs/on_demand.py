"""Features that only the request makes known: computed by the same code in training and in serving."""

from typing import Any

from asof.definitions import Field, Float64, Int64, RequestSource, Timestamp, on_demand_feature_view
from feature_defs.airports import airport_departures
from feature_defs.routes import route_departures

flight_request = RequestSource(
    name="flight_request",
    schema=[Field(name="sched_departure", dtype=Timestamp, description="When the flight is to leave")],
)


@on_demand_feature_view(
    sources=[
        flight_request,
        airport_departures[["dep_delay_mean_1h"]],
        route_departures[["route_delay_7d", "route_delay_spread_7d"]],
    ],
    schema=[
        Field(name="hour_of_day", dtype=Int64, description="Of the scheduled departure, in UTC"),
        Field(name="day_of_week", dtype=Int64, description="Monday is 1"),
        Field(name="delay_risk", dtype=Float64, description="The airport's delay in spreads above the route's mean"),
    ],
    owner="flight-ops",
)
def departure_context(inputs: dict[str, Any]) -> dict[str, Any]:
    """When the flight is to leave, and how unusual its airport's delays are for its route."""
    scheduled = inputs["sched_departure"]
    now, usual, spread = (inputs[name] for name in ("dep_delay_mean_1h", "route_delay_7d", "route_delay_spread_7d"))
    risk = None
    if now is not None and usual is not None and spread:
        risk = (now - usual) / spread
    return {
        "hour_of_day": None if scheduled is None else scheduled.hour,
        "day_of_week": None if scheduled is None else scheduled.isoweekday(),
        "delay_risk": risk,
    }

"""What each model reads."""

from asof.definitions import FeatureService
from feature_defs.aircraft import aircraft_details, aircraft_history
from feature_defs.airports import airport_departures
from feature_defs.carriers import carrier_punctuality
from feature_defs.on_demand import departure_context
from feature_defs.routes import route_departures
from feature_defs.weather import airport_weather

departure_delay = FeatureService(
    name="departure_delay",
    features=[
        airport_departures,
        airport_weather,
        carrier_punctuality,
        aircraft_history,
        aircraft_details[["built_in", "maker"]],
        route_departures,
        departure_context,
    ],
    description="Predicts, an hour before the scheduled departure, by how many minutes a flight will leave late",
    owner="flight-ops",
)

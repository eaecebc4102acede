"""What the features describe."""

from asof.definitions import Entity, String

airport = Entity(name="airport", join_keys={"origin": String}, description="An airport flights leave from")
carrier = Entity(name="carrier", join_keys={"carrier": String}, description="An airline, by its two-letter code")
aircraft = Entity(name="aircraft", join_keys={"tailnum": String}, description="An aircraft, by its tail number")
route = Entity(name="route", join_keys={"origin": String, "dest": String}, description="Where from, and where to")

"""When a flight landed: the raw data has the local clock at the destination, but neither a date nor a time zone."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

_DAY_MINUTES: Final = 24 * 60
_MILES_PER_MINUTE: Final = 10  # faster than any of these aircraft flies

_NOT_IN_AIRPORTS: Final = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
"""Destinations that the table of airports lacks; St. Thomas keeps the same time as Puerto Rico, all year."""


def arrival_times(flights: pd.DataFrame, departed_at: pd.Series[Any], airports: pd.DataFrame) -> pd.Series[Any]:
    """The instant each flight reached its gate, in UTC; missing where it did not land at its destination.

    The rule: the first instant, not before the aircraft can have flown there, at which the clock at the destination
    shows ``arr_time``. It can have flown there after ``air_time``, or, where that is missing because the flight was
    diverted, after its distance at 600 mph. The rest, taxiing, is then 5 to 235 minutes for all flights that were not
    diverted, 31 on average; had the rule gone wrong by a day or a time zone anywhere, it would not be.
    (Of 328,063 arrivals one shows a time that its clocks skipped that night; it is read as if they had not.)
    """
    landed = flights["arr_time"].notna()
    airborne = flights["air_time"].fillna((flights["distance"] / _MILES_PER_MINUTE).round())
    earliest = (departed_at + pd.to_timedelta(airborne, unit="min"))[landed]
    shown = flights.loc[landed, "arr_time"].astype("int64")
    zones = flights.loc[landed, "dest"].map(
        dict(zip(airports["faa"], airports["tzone"], strict=True)) | _NOT_IN_AIRPORTS
    )
    local = pd.Series(0, index=earliest.index)
    for zone, instants in earliest.groupby(zones):
        clock = instants.dt.tz_convert(str(zone)).dt
        local[instants.index] = clock.hour * 60 + clock.minute
    wait = (shown // 100 * 60 + shown % 100 - local) % _DAY_MINUTES
    return (earliest + pd.to_timedelta(wait, unit="min")).reindex(flights.index)

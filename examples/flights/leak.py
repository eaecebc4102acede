"""What goes wrong without a point-in-time join: the usual join of weather to departures, beside what was known."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation a training row was given."""

    temp: float
    observed: pd.Timestamp
    reported: pd.Timestamp

    def times(self) -> tuple[str, str]:
        """Both times, for people."""
        return f"{self.observed:%Y-%m-%d %H:%M}", f"{self.reported:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Leak:
    """One wrong row and the right one, and how many such rows there are."""

    origin: str
    asked: pd.Timestamp
    naive: Seen
    right: Seen
    wrong: int
    rows: int


def one_leak(training: pd.DataFrame, weather: pd.DataFrame) -> Leak:
    """Join the newest observation by event time, as ``pandas.merge_asof`` makes so easy, and count its mistakes.

    ``training`` is what Asof gave, with ``origin``, ``event_timestamp`` and ``temp``; ``weather`` the raw observations.
    """
    asked = training[["origin", "event_timestamp", "temp"]].sort_values("event_timestamp")
    naive = pd.merge_asof(
        asked,
        weather[["origin", "observed_at", "reported_at", "temp"]].sort_values("observed_at"),
        left_on="event_timestamp",
        right_on="observed_at",
        by="origin",
        tolerance=pd.Timedelta("3h"),
        suffixes=("", "_naive"),
    )
    wrong = naive[(naive["temp"] != naive["temp_naive"]) & naive["temp"].notna() & naive["temp_naive"].notna()]
    row = wrong.iloc[(wrong["temp"] - wrong["temp_naive"]).abs().argmax()]
    known = weather[(weather["origin"] == row["origin"]) & (weather["reported_at"] <= row["event_timestamp"])]
    right = known.sort_values("observed_at").iloc[-1]
    return Leak(
        origin=str(row["origin"]),
        asked=row["event_timestamp"],
        naive=Seen(row["temp_naive"], row["observed_at"], row["reported_at"]),
        right=Seen(row["temp"], right["observed_at"], right["reported_at"]),
        wrong=len(wrong),
        rows=len(naive),
    )

"""What the small store's features are, computed from its raw data by plain loops."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.support.small_store import tables

Row = dict[str, Any]


def departures(origin: str, at: datetime, *, delayed_only: bool = False) -> Row:
    """``airport_departures`` at a grid time; ``delayed_only`` as its filter ``dep_delay > 0`` makes it."""
    rows = [row for row in _raw("departures") if row["origin"] == origin]
    if delayed_only:
        rows = [row for row in rows if row["dep_delay"] is not None and row["dep_delay"] > 0]
    short = [row["dep_delay"] for row in rows if _within(row["departed_at"], at, 3)]
    long = [row["dep_delay"] for row in rows if _within(row["departed_at"], at, 24)]
    return {"count_3h": len(short), "dep_delay_mean_3h": _mean(short), "dep_delay_mean_24h": _mean(long)}


def weather(origin: str, at: datetime) -> Row | None:
    """``airport_weather`` as of an instant: the last observation; None where there is none."""
    rows = [row for row in _raw("weather") if row["origin"] == origin and row["observed_at"] <= _naive(at)]
    if not rows:
        return None
    last = max(rows, key=lambda row: row["observed_at"])
    return {"temp": last["temp"], "gusts": last["gusts"]}


def strongest_gust(origin: str, at: datetime) -> int | None:
    """The greatest ``gusts`` of the 24 hours before a grid time."""
    found = [
        row["gusts"]
        for row in _raw("weather")
        if row["origin"] == origin and _within(row["observed_at"], at, 24) and row["gusts"] is not None
    ]
    return max(found, default=None)


def _raw(name: str) -> list[Row]:
    found: list[Row] = tables()[name].to_pylist()
    return found


def _naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


def _within(event: datetime, at: datetime, hours: int) -> bool:
    """Whether an event lies in ``(at - hours, at]``."""
    return _naive(at) - timedelta(hours=hours) < event <= _naive(at)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

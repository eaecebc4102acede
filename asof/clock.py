"""Time: the clock, instants as integer milliseconds since 1970-01-01T00:00Z, durations, and the grid of a schedule.

All instants are UTC and tick in milliseconds; finer parts are floored. Nothing else in Asof reads the time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Protocol

from asof.errors import NaiveDatetimeError, RequestError

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
DAY_MS = 86_400_000

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")


class Clock(Protocol):
    """Tells the time, in milliseconds since the epoch."""

    def now_ms(self) -> int:
        """The current instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """The current instant, floored to a millisecond."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves only when told to; for tests, demos and fast-forwarding."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The instant last set."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Move to another instant, forwards or backwards."""
        self._now_ms = now_ms


def to_ms(value: datetime, argument: str = "value") -> int:
    """Milliseconds since the epoch of an aware datetime, floored.

    Raises NaiveDatetimeError, naming ``argument``, where the datetime has no time zone.
    """
    if value.tzinfo is None or value.utcoffset() is None:
        raise NaiveDatetimeError(argument, value)
    return (value - EPOCH) // MILLISECOND


def from_ms(value_ms: int) -> datetime:
    """The aware UTC datetime of an instant in milliseconds."""
    return EPOCH + timedelta(milliseconds=value_ms)


def iso(value_ms: int) -> str:
    """An instant as people and JSON read it: ``2026-01-31T12:00:00Z``, milliseconds only where there are any."""
    text = from_ms(value_ms).replace(tzinfo=None).isoformat(timespec="milliseconds" if value_ms % 1000 else "seconds")
    return f"{text}Z"


def utc_date(value_ms: int) -> str:
    """The UTC calendar date of an instant, ``YYYY-MM-DD``."""
    return from_ms(value_ms).date().isoformat()


def duration_ms(value: timedelta | str, argument: str = "duration") -> int:
    """Whole milliseconds of a timedelta or of text such as ``90m``, ``1h30m``, ``7d`` (ms, s, m, h, d, w).

    Raises RequestError for other text, for a negative duration, and for parts finer than a millisecond.
    """
    if isinstance(value, timedelta):
        if value % MILLISECOND or value < timedelta(0):
            raise RequestError(f"{argument}={value!r} must be a whole, non-negative number of milliseconds")
        return value // MILLISECOND
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise RequestError(f"{argument}={value!r} is not a duration; write for example '90m', '1h30m' or '7d'")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)


def duration_text(value_ms: int) -> str:
    """A duration as people write it, the inverse of :func:`duration_ms`: ``5400000`` -> ``1h30m``."""
    if value_ms == 0:
        return "0s"
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, value_ms = divmod(value_ms, _UNITS_MS[unit])
        text += f"{count}{unit}" if count else ""
    return text


def grid_floor(value_ms: int, step_ms: int, offset_ms: int = 0) -> int:
    """The last grid time at or before an instant. Grid times are the multiples of step since the epoch plus offset."""
    return (value_ms - offset_ms) // step_ms * step_ms + offset_ms


def grid_ceil(value_ms: int, step_ms: int, offset_ms: int = 0) -> int:
    """The first grid time at or after an instant."""
    return -((offset_ms - value_ms) // step_ms) * step_ms + offset_ms


def grid_times(start_ms: int, end_ms: int, step_ms: int, offset_ms: int = 0) -> Iterator[int]:
    """The grid times in the half-open interval ``[start_ms, end_ms)``, ascending."""
    return iter(range(grid_ceil(start_ms, step_ms, offset_ms), end_ms, step_ms))

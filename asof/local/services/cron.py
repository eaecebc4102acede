"""Schedule expressions of EventBridge Scheduler: ``cron(...)``, ``rate(...)`` and ``at(...)``.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from asof.clock import to_ms
from asof.errors import LocalCloudError

_UNITS: Final = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_DAYS: Final = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_HORIZON_DAYS: Final = 366 * 5


class ScheduleExpressionError(LocalCloudError):
    """An expression that is not one, or that the local cloud cannot do."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The values each field allows; days None where the field is ``?``. Weekdays count from Sunday, 1."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int]

    def next_ms(self, after_ms: int, zone: ZoneInfo) -> int | None:
        """The first instant after the given one, or None within five years."""
        start = datetime.fromtimestamp(after_ms / 1_000, tz=timezone.utc).astimezone(zone)
        day = start.date()
        for _ in range(_HORIZON_DAYS):
            if self._on(day.year, day.month, day.day, day.isoweekday() % 7 + 1):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        found = to_ms(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone))
                        if found > after_ms:
                            return found
            day += timedelta(days=1)
        return None

    def _on(self, year: int, month: int, day: int, weekday: int) -> bool:
        in_days = self.days is None or day in self.days
        in_weekdays = self.weekdays is None or weekday in self.weekdays
        return year in self.years and month in self.months and in_days and in_weekdays


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed expression."""

    cron: Cron | None = None
    every_ms: int | None = None
    at_ms: int | None = None
    zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 # immutable

    def next_ms(self, after_ms: int, since_ms: int) -> int | None:
        """The first instant after the given one; a rate counts from ``since_ms``, when the schedule was made."""
        if self.cron is not None:
            return self.cron.next_ms(after_ms, self.zone)
        if self.every_ms is not None:
            return since_ms + max(-(-(after_ms + 1 - since_ms) // self.every_ms), 0) * self.every_ms
        return self.at_ms if self.at_ms is not None and self.at_ms > after_ms else None


def parse(expression: str, zone: str = "UTC") -> Schedule:
    """The schedule; raises ScheduleExpressionError, naming what is wrong or cannot be done."""
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression.strip())
    if match is None:
        raise ScheduleExpressionError(f"{expression!r} is not a schedule expression: cron(...), rate(...) or at(...)")
    kind, inside = match[1], match[2].strip()
    where = ZoneInfo(zone or "UTC")
    if kind == "cron":
        return Schedule(cron=_cron(expression, inside.upper().split()), zone=where)
    if kind == "rate":
        rate = re.fullmatch(r"([1-9]\d*)\s+(minute|hour|day)s?", inside)
        if rate is None:
            raise ScheduleExpressionError(f"{expression!r}: a rate is a number and minutes, hours or days")
        return Schedule(every_ms=int(rate[1]) * _UNITS[rate[2]], zone=where)
    try:
        return Schedule(at_ms=to_ms(datetime.fromisoformat(inside).replace(tzinfo=where)), zone=where)
    except ValueError as error:
        raise ScheduleExpressionError(f"{expression!r}: at takes yyyy-mm-ddThh:mm:ss") from error


def _cron(expression: str, fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise ScheduleExpressionError(f"{expression!r}: cron takes minutes hours day-of-month month day-of-week year")
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ScheduleExpressionError(f"{expression!r}: one of day-of-month and day-of-week must be '?'")
    return Cron(
        minutes=_field(expression, minute, 0, 59, {}),
        hours=_field(expression, hour, 0, 23, {}),
        days=None if day == "?" else _field(expression, day, 1, 31, {}),
        months=_field(expression, month, 1, 12, _MONTHS),
        weekdays=None if weekday == "?" else _field(expression, weekday, 1, 7, _DAYS),
        years=_field(expression, year, 1970, 2199, {}),
    )


def _field(expression: str, text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        if match is None:
            raise ScheduleExpressionError(f"{expression!r}: the local cloud cannot do {part!r}")
        if match[1] == "*":
            first, last = low, high
        else:
            first = _number(expression, match[1], names)
            last = _number(expression, match[2], names) if match[2] else (high if match[3] else first)
        step = int(match[3] or 1)
        if not low <= first <= last <= high or step < 1:
            raise ScheduleExpressionError(f"{expression!r}: {part!r} is outside {low}-{high}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(expression: str, text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit():
        raise ScheduleExpressionError(f"{expression!r}: the local cloud cannot do {text!r}")
    return int(text)

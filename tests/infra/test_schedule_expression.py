"""Schedules: every grid time has a firing right when it becomes due, and not many more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from asof.clock import DAY_MS, grid_times, to_ms
from infra.schedule_expression import schedule_expression
from tests.support.manifests import HOUR, MINUTE, an_aggregation_view

WEEK = 7 * DAY_MS
START = datetime(2026, 2, 27, tzinfo=timezone.utc)  # over the end of a month
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def firings(expression: str, start: datetime, end: datetime) -> list[int]:
    """The instants of ``[start, end)`` at which a cron expression of EventBridge fires, minute by minute."""
    fields = expression.removeprefix("cron(").removesuffix(")").split()
    minutes, hours, days_of_month, months, weekdays, years = (set(field.split(",")) for field in fields)
    assert (months, years) == ({"*"}, {"*"})
    assert (days_of_month == {"?"}) != (weekdays == {"?"}), "exactly one of the two day fields is left open"
    found, at = [], start
    while at < end:
        on_day = weekdays in ({"?"}, {"*"}) or DAYS[at.weekday()] in weekdays
        if on_day and (minutes == {"*"} or str(at.minute) in minutes) and (hours == {"*"} or str(at.hour) in hours):
            found.append(to_ms(at))
        at += timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("step_ms", "offset_ms", "delay_ms", "per_step"),
    [
        (MINUTE, 0, 0, 1),
        (5 * MINUTE, 0, 2 * MINUTE, 1),
        (15 * MINUTE, 7 * MINUTE, 20 * MINUTE, 1),
        (HOUR, 0, 0, 1),
        (HOUR, 10 * MINUTE, 90 * MINUTE, 1),
        (6 * HOUR, HOUR, 90_001, 1),
        (DAY_MS, 2 * HOUR, 30 * MINUTE, 1),
        (WEEK, 3 * DAY_MS, 5 * HOUR, 1),
        (90 * MINUTE, 0, 10 * MINUTE, 3),
        (45 * MINUTE, 0, 0, 3),
        (5 * HOUR, 0, 0, 5),
        (3 * DAY_MS, 0, 0, 3),
    ],
)
def test_it_fires_when_a_grid_time_becomes_due(step_ms: int, offset_ms: int, delay_ms: int, per_step: int) -> None:
    """Within the minute after ``T + publish_delay``, for every T; where cron cannot say the step, a few times more."""
    view = an_aggregation_view(step_ms=step_ms, offset_ms=offset_ms, publish_delay_ms=delay_ms)
    end = START + timedelta(milliseconds=3 * step_ms)
    fired = firings(schedule_expression(view), START, end)
    first, last = to_ms(START) - delay_ms, to_ms(end) - delay_ms
    due = [-(-(at + delay_ms) // MINUTE) * MINUTE for at in grid_times(first, last - MINUTE, step_ms, offset_ms)]
    assert due
    assert set(due) <= set(fired)
    assert len(fired) <= (len(due) + 1) * per_step


def test_a_step_finer_than_a_minute_fires_each_minute() -> None:
    assert schedule_expression(an_aggregation_view(step_ms=10_000)) == "cron(* * * * ? *)"

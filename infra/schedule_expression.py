"""From a view's grid to the schedule that starts its runs. Pure functions."""

from __future__ import annotations

import math
from typing import Final

from asof.manifest import FeatureView

_MINUTE_MS: Final = 60_000
_HOUR: Final = 60
_DAY: Final = 1_440
_WEEK: Final = 7 * _DAY
_EPOCH_WEEK: Final = ("THU", "FRI", "SAT", "SUN", "MON", "TUE", "WED")  # 1970-01-01 was a Thursday


def schedule_expression(view: FeatureView) -> str:
    """The cron expression (UTC) that fires when a grid time of the view becomes due, at ``T + publish_delay``.

    Rounded up to the minute. A step that cron cannot say, such as 90 minutes or 3 days, fires more often, at the
    greatest common rhythm: a run that finds nothing due ends at once.
    """
    step = _rhythm(max(1, view.step_ms // _MINUTE_MS) if view.step_ms % _MINUTE_MS == 0 else 1)
    phase = -(-(view.offset_ms + view.publish_delay_ms) // _MINUTE_MS) % step
    if step == _WEEK:
        return f"cron({phase % _HOUR} {phase % _DAY // _HOUR} ? * {_EPOCH_WEEK[phase // _DAY]} *)"
    if step >= _HOUR:
        hours = ",".join(str(hour) for hour in range(phase // _HOUR, 24, step // _HOUR))
        return f"cron({phase % _HOUR} {hours if step > _HOUR else '*'} * * ? *)"
    minutes = ",".join(str(minute) for minute in range(phase, _HOUR, step))
    return f"cron({minutes if step > 1 else '*'} * * * ? *)"


def _rhythm(step: int) -> int:
    """The longest period in minutes that divides the step and that one cron expression can say."""
    if step % _WEEK == 0:
        return _WEEK
    within_a_day = math.gcd(step, _DAY)
    if within_a_day % _HOUR == 0:
        return within_a_day
    return math.gcd(step, _HOUR)

"""Alarms that evaluate, every minute of the local cloud's time.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html, without the longer look back that
CloudWatch takes when data points are missing: the newest ``EvaluationPeriods`` periods decide.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from botocore.exceptions import ClientError

from asof.clock import from_ms, grid_ceil, iso
from asof.local.services import metric_math
from asof.local.services.clients import Clients
from asof.local.services.functions.emf import Datum
from asof.local.services.metrics import Metrics
from asof.local.services.notifications import act

_MINUTE_MS: Final = 60_000
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_log = logging.getLogger(__name__)


class Alarms:
    """A source of the timeline: evaluates every alarm of every account and region each minute."""

    def __init__(self, metrics: Metrics, clients: Clients) -> None:
        self._metrics = metrics
        self._clients = clients

    def next_ms(self, after_ms: int) -> int | None:
        """The next whole minute."""
        return grid_ceil(after_ms + 1, _MINUTE_MS)

    def fire(self, at_ms: int) -> None:
        """Measure queues, then evaluate every alarm."""
        from moto.cloudwatch.models import cloudwatch_backends

        self._measure_queues(at_ms)
        for account, regions in list(cloudwatch_backends.items()):
            for region, backend in list(regions.items()):
                for alarm in list(backend.alarms.values()):
                    if alarm.rule is None:
                        self._evaluate(account, region, alarm, at_ms)

    def _measure_queues(self, at_ms: int) -> None:
        from moto.sqs.models import sqs_backends

        for account, regions in list(sqs_backends.items()):
            for region, backend in list(regions.items()):
                for queue in list(backend.queues.values()):
                    count = float(queue.approximate_number_of_messages)
                    dimensions = (("QueueName", queue.name),)
                    # Within the minute that has just ended, so that this minute's evaluation sees it.
                    datum = Datum(
                        "AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, (count,), at_ms - 1, "Count"
                    )
                    self._metrics.record(account, region, datum)

    def _evaluate(self, account: str, region: str, alarm: Any, at_ms: int) -> None:
        points = datapoints(self._metrics, account, region, alarm, at_ms)
        state, reason = decide(alarm, points)
        if state == alarm.state_value:
            return
        previous = alarm.state_value
        alarm.update_state(reason, json.dumps({"evaluatedAt": iso(at_ms), "recentDatapoints": list(points)}), state)
        alarm.state_updated_timestamp = from_ms(at_ms).replace(tzinfo=None)
        if alarm.actions_enabled:
            try:
                act(self._clients, account, region, alarm, previous=previous, now_ms=at_ms)
            except ClientError:
                _log.exception("alarm %s is %s, and an action of it failed", alarm.name, state)


def datapoints(metrics: Metrics, account: str, region: str, alarm: Any, at_ms: int) -> tuple[float | None, ...]:
    """The alarm's value in each of its newest periods, the oldest first; None where data is missing."""
    period_ms = _period(alarm) * 1_000
    ends = [at_ms - period_ms * number for number in range(int(alarm.evaluation_periods) - 1, -1, -1)]

    def value(metric: Any, statistic: str, end_ms: int) -> float | None:
        dimensions = frozenset((each.name, each.value) for each in metric.dimensions or ())
        key = (account, region, metric.namespace, metric.metric_name, dimensions)
        return metrics.statistic(key, statistic, end_ms - period_ms, end_ms)

    if not alarm.metric_data_queries:
        statistic = alarm.statistic or alarm.extended_statistic
        return tuple(value(alarm, statistic, end) for end in ends)
    return tuple(_math(alarm, end, value) for end in ends)


def _math(alarm: Any, end_ms: int, value: Callable[[Any, str, int], float | None]) -> float | None:
    queries = {query.id: query for query in alarm.metric_data_queries}
    values: dict[str, float | None] = {
        query.id: value(query.metric_stat.metric, query.metric_stat.stat, end_ms)
        for query in queries.values()
        if query.metric_stat is not None
    }
    shown = next(query for query in queries.values() if _returned(query))
    if shown.metric_stat is not None:
        return values[shown.id]
    return metric_math.parse(shown.expression)(values)


def _returned(query: Any) -> bool:
    return str(query.return_data).lower() != "false"


def _period(alarm: Any) -> int:
    if alarm.period:
        return int(alarm.period)
    stats = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat is not None]
    return max(int(stat.period) for stat in stats)


def decide(alarm: Any, points: Sequence[float | None]) -> tuple[str, str]:
    """The state an alarm is in, and why."""
    compare = _COMPARISONS[alarm.comparison_operator]
    threshold = float(alarm.threshold)
    needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    present = [point for point in points if point is not None]
    breaching = sum(compare(point, threshold) for point in present)
    missing = len(points) - len(present)
    treatment = alarm.treat_missing_data or "missing"
    if not present and treatment == "missing":
        return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received"
    if not present and treatment == "ignore":
        return alarm.state_value, alarm.state_reason
    if treatment == "breaching":
        breaching += missing
    rule = f"{alarm.comparison_operator} {threshold}"
    words = f"{breaching} of the last {len(points)} datapoints {list(points)} breached: {rule}"
    if breaching >= needed:
        return "ALARM", f"Threshold Crossed: {words}"
    return "OK", f"Threshold not crossed: {words}"


@contextmanager
def installed() -> Iterator[None]:
    """While inside, an alarm remembers its percentile and its state when it is put again, and begins without data."""
    from moto.cloudwatch.models import CloudWatchBackend

    original = CloudWatchBackend.put_metric_alarm

    def put_metric_alarm(backend: Any, *arguments: Any, **named: Any) -> Any:
        earlier = backend.alarms.get(named.get("name"))
        alarm = original(backend, *arguments, **named)
        alarm.extended_statistic = named.get("extended_statistic")
        if earlier is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, name, getattr(earlier, name))
        return alarm

    with ExitStack() as stack:
        stack.enter_context(patch.object(CloudWatchBackend, "put_metric_alarm", put_metric_alarm))
        yield

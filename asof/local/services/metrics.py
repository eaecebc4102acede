"""CloudWatch's metrics: what was put, ordered by time, so that alarms need not search; moto's API sees the same."""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from asof.clock import from_ms, to_ms
from asof.local.services.functions.emf import Datum
from asof.local.services.virtual_clock import VirtualClock

Key = tuple[str, str, str, str, frozenset[tuple[str, str]]]
"""Account, region, namespace, name and dimensions."""


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """Values that were put for one instant, or a summary of several."""

    at_ms: int
    minimum: float
    maximum: float
    total: float
    count: float


class Metrics:
    """Data points of all accounts and regions."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[Key, list[Sample]] = {}

    def record(self, account: str, region: str, datum: Datum) -> None:
        """Put values as a service or a log does; they show in CloudWatch's API."""
        from moto.cloudwatch.models import cloudwatch_backends

        at = from_ms(datum.at_ms).replace(tzinfo=None)
        dimensions = [{"Name": name, "Value": value} for name, value in datum.dimensions]
        metric = {"MetricName": datum.name, "Dimensions": dimensions, "Timestamp": at, "Unit": datum.unit}
        data = [{**metric, "Value": value} for value in datum.values]
        cloudwatch_backends[account][region].put_metric_data(datum.namespace, data)

    def put(self, account: str, region: str, namespace: str, data: Sequence[dict[str, Any]]) -> None:
        """Take what CloudWatch's PutMetricData was given."""
        for each in data:
            dimensions = frozenset((part["Name"], part["Value"]) for part in each.get("Dimensions") or ())
            key = (account, region, namespace, each["MetricName"], dimensions)
            with self._lock:
                series = self._series.setdefault(key, [])
                for sample in self._samples(each):
                    bisect.insort(series, sample)

    def _samples(self, datum: dict[str, Any]) -> Iterator[Sample]:
        given = datum.get("Timestamp")
        at_ms = self._clock.now_ms() if given is None else _instant(given)
        if datum.get("StatisticValues"):
            summary = {name: float(value) for name, value in datum["StatisticValues"].items()}
            yield Sample(at_ms, summary["Minimum"], summary["Maximum"], summary["Sum"], summary["SampleCount"])
        elif datum.get("Values"):
            counts = datum.get("Counts") or [1] * len(datum["Values"])
            for value, count in zip(map(float, datum["Values"]), map(float, counts), strict=True):
                yield Sample(at_ms, value, value, value * count, count)
        else:
            value = float(datum["Value"])
            yield Sample(at_ms, value, value, value, 1.0)

    def kept(self) -> dict[Key, list[Sample]]:
        """The data points, to be kept."""
        return self._series

    def restore(self, kept: dict[Key, list[Sample]]) -> None:
        """Take the data points that were kept."""
        self._series = kept

    def statistic(self, key: Key, statistic: str, from_ms: int, to_ms: int) -> float | None:
        """A statistic (``Sum``, ``p99``, ...) over ``[from_ms, to_ms)``; None where nothing was put."""
        with self._lock:
            series = self._series.get(key, [])
            start = bisect.bisect_left(series, from_ms, key=lambda sample: sample.at_ms)
            end = bisect.bisect_left(series, to_ms, key=lambda sample: sample.at_ms)
            samples = series[start:end]
        return summarized(samples, statistic) if samples else None


def summarized(samples: Sequence[Sample], statistic: str) -> float:
    """A statistic of at least one sample; a percentile is the value at that rank of the values put one by one."""
    if statistic == "Sum":
        return math.fsum(sample.total for sample in samples)
    if statistic == "SampleCount":
        return math.fsum(sample.count for sample in samples)
    if statistic == "Average":
        return summarized(samples, "Sum") / summarized(samples, "SampleCount")
    if statistic == "Minimum":
        return min(sample.minimum for sample in samples)
    if statistic == "Maximum":
        return max(sample.maximum for sample in samples)
    values = sorted(sample.maximum for sample in samples for _ in range(int(sample.count)))
    rank = max(math.ceil(float(statistic.removeprefix("p")) / 100 * len(values)), 1)
    return values[rank - 1]


def _instant(value: Any) -> int:
    from datetime import datetime, timezone

    if isinstance(value, datetime):
        return to_ms(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
    return int(float(value) * 1_000)


@contextmanager
def installed(metrics: Metrics) -> Iterator[None]:
    """While inside, what is put into moto's CloudWatch is put here too."""
    from moto.cloudwatch.models import CloudWatchBackend

    original = CloudWatchBackend.put_metric_data

    def put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        now = from_ms(metrics._clock.now_ms()).replace(tzinfo=None)  # noqa: SLF001 # this module's own
        dated = [{**each, "Timestamp": each.get("Timestamp") or now} for each in metric_data]
        original(backend, namespace, dated)
        metrics.put(backend.account_id, backend.region_name, namespace, dated)

    with patch.object(CloudWatchBackend, "put_metric_data", put_metric_data):
        yield

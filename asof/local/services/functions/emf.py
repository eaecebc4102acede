"""Metrics in CloudWatch's embedded metric format, found in a function's log.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Datum:
    """Values of a metric at an instant, in milliseconds since the epoch."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    at_ms: int
    unit: str


def metrics(log: str) -> Iterator[Datum]:
    """The data points of a log's lines; lines that are not in the format have none."""
    for line in log.splitlines():
        if '"_aws"' in line:
            try:
                document = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(document, dict) and isinstance(document.get("_aws"), dict):
                yield from _data(document)


def _data(document: dict[str, Any]) -> Iterator[Datum]:
    head = document["_aws"]
    for directive in head.get("CloudWatchMetrics", []):
        for names in directive.get("Dimensions", [[]]):
            dimensions = tuple((name, str(document[name])) for name in names if name in document)
            for metric in directive.get("Metrics", []):
                value = document.get(metric["Name"])
                values = value if isinstance(value, list) else [value]
                numbers = tuple(float(each) for each in values if isinstance(each, int | float))
                if numbers:
                    unit = metric.get("Unit", "None")
                    yield Datum(directive["Namespace"], metric["Name"], dimensions, numbers, head["Timestamp"], unit)

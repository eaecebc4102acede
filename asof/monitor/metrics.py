"""Metrics, in CloudWatch's embedded format: one line of JSON on standard output is one set of data points.

Nothing is called for it, so a metric costs a function neither time nor a permission.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

NAMESPACE: Final = "Asof"
ENVIRONMENT: Final = "Environment"
VIEW: Final = "View"

DATA_AGE: Final = "DataAge"
"""Milliseconds from the newest data a view shows to now."""
ROWS: Final = "Rows"
WRITTEN: Final = "Written"
QUARANTINED: Final = "Quarantined"
TOO_LATE: Final = "TooLate"
SCANNED_BYTES: Final = "ScannedBytes"

_UNITS: Final = {DATA_AGE: "Milliseconds", SCANNED_BYTES: "Bytes"}
_PER_VIEW: Final = frozenset({DATA_AGE})
"""Every metric of every view would cost more than the store; of the others only the sum is a metric."""


def metric_line(environment: str, view: str, values: Mapping[str, float], now_ms: int, **facts: Any) -> str:
    """The line that emits ``values`` of a view (``view@v2``): its age as its own metric, counts as the environment's.

    ``facts`` are properties of the line, like ``view``: they can be searched in the logs but make no metric.
    """
    own = [name for name in values if name in _PER_VIEW]
    shared = [name for name in values if name not in _PER_VIEW]
    directives = [*_directive([ENVIRONMENT, VIEW], own), *_directive([ENVIRONMENT], shared)]
    line = {
        "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": directives},
        ENVIRONMENT: environment,
        VIEW: view,
        **values,
        **facts,
    }
    return json.dumps(line, separators=(",", ":"))


def _directive(dimensions: list[str], names: list[str]) -> list[dict[str, Any]]:
    metrics = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in names]
    return [{"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}] if metrics else []

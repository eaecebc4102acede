"""Freshness: measure how old the data of each view is that declares a freshness, whether or not any run runs."""

from __future__ import annotations

from typing import Any

from asof.materialize.events import connected
from asof.materialize.lifecycle import reader_of
from asof.monitor.log import log_line
from asof.monitor.metrics import DATA_AGE, metric_line


def handle(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Anything -> the age in milliseconds per view; None where nothing was ever published."""
    services = connected()
    reader, now_ms = reader_of(services), services.clock.now_ms()
    ages: dict[str, int | None] = {}
    for view in services.manifest.feature_views:
        if view.freshness_ms is None or view.deprecated:
            continue
        watermark = reader.watermark(view.reference)
        ages[view.reference] = age_ms = None if watermark is None else watermark.age_ms(now_ms)
        if age_ms is None:
            print(log_line("freshness", view=view.reference, found="never published"))
        else:
            print(metric_line(services.environment.name, view.reference, {DATA_AGE: age_ms}, now_ms))
    return ages

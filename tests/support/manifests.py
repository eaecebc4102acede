"""Small manifests for tests: one entity, one source, views of each kind."""

from __future__ import annotations

from typing import Any

from asof.manifest import Aggregation, BatchSource, Column, Entity, Feature, FeatureView

HOUR = 3_600_000
MINUTE = 60_000

ENTITY = Entity("airport", (Column("origin", "String"),))


def a_source(**changes: Any) -> BatchSource:
    """A source of departures with a created column, as a table of database ``raw``."""
    parts: dict[str, Any] = {
        "name": "departures",
        "table": "raw.departures",
        "path": None,
        "timestamp_field": "departed_at",
        "created_timestamp_column": None,
        "date_partition_column": None,
        "lateness_ms": 0,
        "columns": (Column("origin", "String"), Column("delay", "Float64")),
    }
    return BatchSource(**{**parts, **changes})


def an_aggregation_view(**changes: Any) -> FeatureView:
    """Departures per airport: a count over 1 h and 3 h and a mean over 3 h, hourly."""
    parts: dict[str, Any] = {
        "name": "airport_departures",
        "version": 1,
        "entity": "airport",
        "source": "departures",
        "kind": "aggregation",
        "features": (Feature("count_1h", "Int64"), Feature("count_3h", "Int64"), Feature("delay_mean_3h", "Float64")),
        "aggregations": (
            Aggregation("count_1h", "count", None, HOUR),
            Aggregation("count_3h", "count", None, 3 * HOUR),
            Aggregation("delay_mean_3h", "mean", "delay", 3 * HOUR),
        ),
        "step_ms": HOUR,
    }
    return FeatureView(**{**parts, **changes})


def a_passthrough_view(**changes: Any) -> FeatureView:
    """The delay of the last departure, as the source has it."""
    parts: dict[str, Any] = {
        "name": "last_departure",
        "version": 1,
        "entity": "airport",
        "source": "departures",
        "kind": "passthrough",
        "features": (Feature("delay", "Float64"),),
        "step_ms": HOUR,
    }
    return FeatureView(**{**parts, **changes})

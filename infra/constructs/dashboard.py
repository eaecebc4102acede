"""One dashboard per environment: is the data fresh, do runs succeed, do lookups answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from asof.manifest import FeatureView
from asof.monitor.metrics import DATA_AGE, QUARANTINED, ROWS, SCANNED_BYTES, TOO_LATE
from infra.constructs.metrics import api_metric, environment_metric, machine_metric, view_metric
from infra.places import Places

_VIEWS_PER_GRAPH: Final = 25


class Dashboard(Construct):
    """``asof-<env>``: alarms on top, then the age of each view's data, runs, and lookups."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        places: Places,
        views: Sequence[FeatureView],
        alarms: Sequence[cloudwatch.IAlarm],
        api_id: str,
    ) -> None:
        super().__init__(scope, name)
        machine = places.machine("materialize")
        measured = [view for view in views if view.freshness_ms is not None]
        rows: list[list[cloudwatch.IWidget]] = [
            [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms[:100]), width=24, height=4)],
            *([graph] for graph in _ages(places, measured)),
            [
                _graph("Runs", [machine_metric(machine, f"Executions{each}") for each in ("Succeeded", "Failed")]),
                _graph("Rows", [environment_metric(places, each, "Sum") for each in (ROWS, QUARANTINED, TOO_LATE)]),
                _graph("Bytes scanned", [environment_metric(places, SCANNED_BYTES, "Sum")]),
            ],
            [
                _graph("Lookups", [api_metric(api_id, each, "Sum") for each in ("Count", "4xx", "5xx")]),
                _graph("Latency", [api_metric(api_id, "Latency", each) for each in ("p50", "p99")]),
            ],
        ]
        cloudwatch.Dashboard(self, "Dashboard", dashboard_name=f"asof-{places.environment.name}", widgets=rows)


def _ages(places: Places, views: Sequence[FeatureView]) -> list[cloudwatch.IWidget]:
    groups = [views[at : at + _VIEWS_PER_GRAPH] for at in range(0, len(views), _VIEWS_PER_GRAPH)]
    return [
        cloudwatch.GraphWidget(
            title="Age of data",
            width=24,
            left=[view_metric(places, view, DATA_AGE, "Maximum") for view in group],
        )
        for group in groups
    ]


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, width=8, left=list(metrics))

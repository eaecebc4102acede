"""Alarms over several metrics see each of them alone: what did not happen has no data."""

from __future__ import annotations

import pytest

from asof.local.services import metric_math
from tests.support.synth import dev_templates, resources


def test_one_metric_alone_is_enough_for_an_alarm_over_several() -> None:
    """A run that fails need not also be stopped and time out before somebody is told."""
    found = 0
    for alarm in resources(dev_templates()["asof-dev-service"], "AWS::CloudWatch::Alarm").values():
        queries = alarm["Properties"].get("Metrics", [])
        measured = [query["Id"] for query in queries if "MetricStat" in query]
        for expression in (query["Expression"] for query in queries if "Expression" in query):
            evaluate = metric_math.parse(expression)
            for name in measured:
                values = {**dict.fromkeys(measured), name: 1.0}
                assert evaluate(values) == pytest.approx(1.0), (expression, name)
                found += 1
    assert found >= 3

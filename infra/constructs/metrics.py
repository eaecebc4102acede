"""The metrics that alarms and the dashboard look at."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from asof.manifest import FeatureView
from asof.monitor.metrics import ENVIRONMENT, NAMESPACE, VIEW
from infra.places import Places


def view_metric(places: Places, view: FeatureView, name: str, statistic: str) -> cloudwatch.Metric:
    """A metric of one view, as the functions emit it."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={ENVIRONMENT: places.environment.name, VIEW: view.reference},
        statistic=statistic,
        period=Duration.minutes(1),
        label=view.reference,
    )


def environment_metric(places: Places, name: str, statistic: str) -> cloudwatch.Metric:
    """A metric over all views of the environment."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={ENVIRONMENT: places.environment.name},
        statistic=statistic,
        period=Duration.minutes(5),
    )


def machine_metric(machine_arn: str, name: str) -> cloudwatch.Metric:
    """A count of a state machine's executions."""
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=name,
        dimensions_map={"StateMachineArn": machine_arn},
        statistic="Sum",
        period=Duration.minutes(5),
    )


def api_metric(api_id: str, name: str, statistic: str) -> cloudwatch.Metric:
    """A metric of the HTTP API."""
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=name,
        dimensions_map={"ApiId": api_id},
        statistic=statistic,
        period=Duration.minutes(1),
    )

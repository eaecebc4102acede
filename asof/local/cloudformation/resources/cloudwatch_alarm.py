"""AWS::CloudWatch::Alarm."""

from __future__ import annotations

from typing import Any

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    refuse,
    tag_list,
    unless_missing,
)
from asof.local.services.metric_math import MetricMathError, parse

_NUMBERS = {"EvaluationPeriods": int, "DatapointsToAlarm": int, "Period": int, "Threshold": float}


class CloudWatchAlarm(ResourceType):
    """An alarm on one metric or on an expression of several."""

    type = "AWS::CloudWatch::Alarm"
    properties = frozenset(
        {
            "AlarmName", "AlarmDescription", "ActionsEnabled", "AlarmActions", "OKActions", "InsufficientDataActions",
            "ComparisonOperator", "DatapointsToAlarm", "Dimensions", "EvaluationPeriods", "ExtendedStatistic",
            "MetricName", "Metrics",
            "Namespace", "Period", "Statistic", "Threshold", "TreatMissingData", "Unit", "Tags",
        }
    )  # fmt: skip
    replacing = frozenset({"AlarmName"})
    name_property = "AlarmName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """PutMetricAlarm."""
        name = properties.get("AlarmName") or context.name()
        return _put(context, name, properties)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """PutMetricAlarm again."""
        return _put(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteAlarms."""
        cloudwatch = context.client("cloudwatch")
        unless_missing(lambda: cloudwatch.delete_alarms(AlarmNames=[physical_id]), "ResourceNotFound")


def _put(context: Context, name: str, properties: Properties) -> Deployed:
    settings: dict[str, Any] = {key: value for key, value in properties.items() if key not in ("AlarmName", "Tags")}
    for key, number in _NUMBERS.items():
        if key in settings:
            settings[key] = number(settings[key])
    for query in settings.get("Metrics", []):
        if "Expression" in query:
            try:
                parse(query["Expression"])
            except MetricMathError as error:
                raise refuse(context, str(error)) from error
    settings["Metrics"] = [_query(query) for query in settings.get("Metrics", [])]
    if not settings["Metrics"]:
        del settings["Metrics"]
    cloudwatch = context.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName=name, Tags=tag_list(properties.get("Tags")), **settings)
    return Deployed(name, {"Arn": context.arn("cloudwatch", f"alarm:{name}")})


def _query(query: Properties) -> dict[str, Any]:
    answer: dict[str, Any] = pick(query, "Id", "Expression", "Label", "ReturnData")
    answer.setdefault("ReturnData", True)
    if "Period" in query:
        answer["Period"] = int(query["Period"])
    if "MetricStat" in query:
        stat = query["MetricStat"]
        answer["MetricStat"] = {**stat, "Period": int(stat["Period"])}
    return answer

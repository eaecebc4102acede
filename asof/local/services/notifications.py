"""What alarms do when their state changes: tell topics, invoke functions."""

from __future__ import annotations

import json
from typing import Any

from asof.clock import iso
from asof.local.services.clients import Clients


def act(clients: Clients, account: str, region: str, alarm: Any, *, previous: str, now_ms: int) -> None:
    """Carry out the actions of an alarm that has just changed from ``previous`` to its present state.

    Raises botocore's ClientError where a topic or function does not exist.
    """
    actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(alarm.state_value)
    for arn in (alarm.insufficient_data_actions if actions is None else actions) or ():
        message = json.dumps(_message(account, region, alarm, previous, now_ms))
        if ":sns:" in arn:
            subject = f'{alarm.state_value}: "{alarm.name}" in {region}'[:100]
            clients.client("sns", region).publish(TopicArn=arn, Message=message, Subject=subject)
        else:
            clients.client("lambda", region).invoke(FunctionName=arn, InvocationType="Event", Payload=message.encode())


def _message(account: str, region: str, alarm: Any, previous: str, now_ms: int) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": iso(now_ms),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": previous,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": alarm.statistic,
            "Dimensions": [{"name": each.name, "value": each.value} for each in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data,
        },
    }

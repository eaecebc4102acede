"""Schedules fire and alarms evaluate when the clock is moved, in order, with nothing to wait for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asof.clock import iso
from asof.local.server import LocalServer
from tests.support.stacks import deployed, function, machine, role, template

NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z
QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A local cloud whose time begins at noon of a day."""
    with LocalServer(now_ms=NOON_MS) as running:
        yield running


def schedule(expression: str, target: Any, given: str | None = None, **more: Any) -> dict[str, Any]:
    """A schedule of a target."""
    at = {"Arn": target, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, **({"Input": given} if given else {}), **more}
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {"ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": at},
    }


def received(client: Callable[[str], Any], url: str) -> list[str]:
    """The bodies of all messages in a queue, which are gone afterwards."""
    found: list[str] = []
    while True:
        page = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if not page:
            return found
        for message in page:
            found.append(message["Body"])
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_schedule_fires_at_each_of_its_times_on_the_way(server: LocalServer, client: Callable[[str], Any]) -> None:
    """With the scheduled time in its input; not before, and not after it is deleted."""
    text = '{"at": "<aws.scheduler.scheduled-time>"}'
    resources = {
        "Role": role(),
        "Q": QUEUE,
        "S": schedule("cron(5,35 * * * ? *)", {"Fn::GetAtt": ["Q", "Arn"]}, text),
    }
    url = deployed(client("cloudformation"), "cron", template(resources, {"Url": {"Ref": "Q"}}))["Url"]
    start = server.now_ms() // 3_600_000 * 3_600_000 + 3_600_000
    assert server.advance(start - server.now_ms() + 1)
    received(client, url)
    assert server.advance("1h10m")
    expected = [start + minutes * 60_000 for minutes in (5, 35, 65)]
    assert sorted(json.loads(body)["at"] for body in received(client, url)) == [iso(each) for each in expected]
    deployed(client("cloudformation"), "cron", template({"Role": role(), "Q": QUEUE}))
    assert server.advance("1h")
    assert received(client, url) == []


def test_what_a_schedule_starts_ends_before_time_goes_on(server: LocalServer, client: Callable[[str], Any]) -> None:
    """Each run of a state machine sees its own hour as now, through its function."""
    source = "import time\ndef handle(event, context): return time.time_ns() // 1_000_000"
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "clock"},
        "OutputPath": "$.Payload",
        "End": True,
    }
    resources = {
        "Role": role(),
        "F": function("clock", source),
        "M": machine("hourly", {"StartAt": "Ask", "States": {"Ask": task}}),
        "S": schedule("cron(0 * * * ? *)", {"Ref": "M"}),
    }
    arn = deployed(client("cloudformation"), "hourly", template(resources, {"Arn": {"Ref": "M"}}))["Arn"]
    assert server.advance("3h")
    runs = client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    assert [run["status"] for run in runs] == ["SUCCEEDED"] * 3
    seen = [int(client("stepfunctions").describe_execution(executionArn=run["executionArn"])["output"]) for run in runs]
    assert all(at % 3_600_000 < 60_000 for at in seen)
    assert len({at // 3_600_000 for at in seen}) == 3
    client("cloudformation").delete_stack(StackName="hourly")


def test_a_target_that_fails_is_tried_again_and_then_a_dead_letter(
    server: LocalServer, client: Callable[[str], Any]
) -> None:
    """As the retry policy says; an alarm on the queue goes off."""
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3_600}
    letters = {"Arn": {"Fn::GetAtt": ["Letters", "Arn"]}}
    absent = "arn:aws:states:eu-central-1:123456789012:stateMachine:absent"
    alarm = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": "letters"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmName": "letters",
    }
    resources = {
        "Role": role(),
        "Letters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "letters"}},
        "S": schedule("rate(1 day)", absent, '{"a": 1}', RetryPolicy=policy, DeadLetterConfig=letters),
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
    }
    url = deployed(client("cloudformation"), "dead", template(resources, {"Url": {"Ref": "Letters"}}))["Url"]
    assert server.advance("1m")
    assert state(client, "letters") == "OK"
    assert server.advance("10m")
    assert state(client, "letters") == "ALARM"
    assert received(client, url) == ['{"a": 1}']
    assert server.advance("2m")
    assert state(client, "letters") == "OK"


def state(client: Callable[[str], Any], name: str) -> str:
    """An alarm's state."""
    found = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found[0]["StateValue"])


def metric_alarm(name: str, topic: bool = True, **settings: Any) -> dict[str, Any]:
    """An alarm that tells the resource ``Topic``."""
    base = {
        "AlarmName": name,
        "Namespace": "Asof",
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        **({"AlarmActions": [{"Ref": "Topic"}], "OKActions": [{"Ref": "Topic"}]} if topic else {}),
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**base, **settings}}


def test_an_alarm_goes_off_when_data_stops_and_comes_back(server: LocalServer, client: Callable[[str], Any]) -> None:
    """Missing data is breaching; both changes are told to the topic, and nothing in between."""
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "stale"}}
    subscription = {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Q", "Arn"]}},
    }
    alarm = metric_alarm(
        "stale", MetricName="DataAge", Statistic="Maximum", Threshold=1_000, TreatMissingData="breaching"
    )
    resources: dict[str, Any] = {"Topic": topic, "Q": QUEUE, "Sub": subscription, "Alarm": alarm}
    url = deployed(client("cloudformation"), "stale", template(resources, {"Url": {"Ref": "Q"}}))["Url"]

    def measure(age: float) -> None:
        client("cloudwatch").put_metric_data(Namespace="Asof", MetricData=[{"MetricName": "DataAge", "Value": age}])
        assert server.advance("1m")

    measure(10)
    assert state(client, "stale") == "OK"
    assert server.advance("5m")
    assert state(client, "stale") == "ALARM"
    measure(20)
    assert state(client, "stale") == "OK"
    told = [json.loads(json.loads(body)["Message"]) for body in received(client, url)]
    changes = sorted((each["StateChangeTime"], each["OldStateValue"], each["NewStateValue"]) for each in told)
    assert [change[1:] for change in changes] == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]


def test_alarms_on_expressions_and_percentiles(server: LocalServer, client: Callable[[str], Any]) -> None:
    """A sum of metrics that are not all there, and the value at a rank."""
    stat = {"Stat": "Sum", "Period": 60}
    queries = [
        {"Id": "total", "Expression": "FILL(failed, 0) + FILL(aborted, 0)"},
        {
            "Id": "failed",
            "MetricStat": {**stat, "Metric": {"Namespace": "Asof", "MetricName": "F"}},
            "ReturnData": False,
        },
        {
            "Id": "aborted",
            "MetricStat": {**stat, "Metric": {"Namespace": "Asof", "MetricName": "A"}},
            "ReturnData": False,
        },
    ]
    total = metric_alarm("total", topic=False, Metrics=queries, Threshold=1)
    for name in ("Namespace", "Period"):
        del total["Properties"][name]
    slow = metric_alarm("slow", topic=False, MetricName="L", ExtendedStatistic="p99", Threshold=50)
    deployed(client("cloudformation"), "math", template({"Total": total, "Slow": slow}))
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Asof", MetricData=[{"MetricName": "F", "Value": 2}])
    cloudwatch.put_metric_data(
        Namespace="Asof", MetricData=[{"MetricName": "L", "Values": [1, 60], "Counts": [200, 1]}]
    )
    assert server.advance("1m")
    assert (state(client, "total"), state(client, "slow")) == ("ALARM", "OK")
    cloudwatch.put_metric_data(
        Namespace="Asof", MetricData=[{"MetricName": "L", "Values": [1, 60], "Counts": [90, 10]}]
    )
    assert server.advance("1m")
    assert (state(client, "total"), state(client, "slow")) == ("OK", "ALARM")


def test_an_asynchronous_invocation_that_fails_is_tried_again(
    server: LocalServer, client: Callable[[str], Any]
) -> None:
    """After one minute and after two more."""
    deployed(client("cloudformation"), "later", template({"Role": role(), "F": function("later", "nothing")}))
    client("lambda").invoke(FunctionName="later", InvocationType="Event")
    assert server.advance("5m")
    events = client("logs").filter_log_events(logGroupName="/aws/lambda/later")["events"]
    assert sum(event["message"].startswith("START") for event in events) == 3

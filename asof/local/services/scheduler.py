"""Schedules that fire: EventBridge Scheduler's targets are called when the local cloud's clock says so."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.clock import iso, to_ms
from asof.errors import LocalCloudError
from asof.local.services import cron
from asof.local.services.clients import Clients
from asof.local.services.functions.emf import Datum
from asof.local.services.metrics import Metrics
from asof.local.services.timeline import Timeline

_FIRST_RETRY_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class _Firing:
    account: str
    region: str
    arn: str
    target: Any
    at_ms: int
    execution: str
    attempt: int = 1


class Scheduler:
    """A source of the timeline: calls the targets of moto's schedules, with retries and dead letters."""

    def __init__(self, timeline: Timeline, clients: Clients, metrics: Metrics) -> None:
        self._timeline = timeline
        self._clients = clients
        self._metrics = metrics
        self._since: dict[tuple[str, Any], int] = {}

    def kept(self) -> dict[tuple[str, Any], int]:
        """Since when each schedule runs, to be kept."""
        return self._since

    def restore(self, kept: dict[tuple[str, Any], int]) -> None:
        """Take what was kept."""
        self._since = kept

    def next_ms(self, after_ms: int) -> int | None:
        """When the next schedule fires."""
        found = [due for *_, schedule in self._all() if (due := self._due(schedule, after_ms)) is not None]
        return min(found, default=None)

    def fire(self, at_ms: int) -> None:
        """Call the targets of the schedules that are due."""
        for account, region, group, schedule in self._all():
            if self._due(schedule, at_ms - 1) != at_ms:
                continue
            self._call(_Firing(account, region, schedule.arn, schedule.target, at_ms, str(uuid.uuid4())))
            if schedule.schedule_expression.startswith("at(") and schedule.action_after_completion == "DELETE":
                group.schedules.pop(schedule.name, None)

    def _all(self) -> list[tuple[str, str, Any, Any]]:
        from moto.scheduler.models import scheduler_backends

        return [
            (account, region, group, schedule)
            for account, regions in list(scheduler_backends.items())
            for region, backend in list(regions.items())
            for group in list(backend.schedule_groups.values())
            for schedule in list(group.schedules.values())
            if schedule.state == "ENABLED"
        ]

    def _due(self, schedule: Any, after_ms: int) -> int | None:
        since = self._since.setdefault((schedule.arn, schedule.creation_date), self._timeline.clock.now_ms())
        try:
            parsed = cron.parse(schedule.schedule_expression, schedule.schedule_expression_timezone)
        except cron.ScheduleExpressionError:
            return None
        start, end = _instant(schedule.start_date), _instant(schedule.end_date)
        due = parsed.next_ms(after_ms if start is None else max(after_ms, start - 1), since if start is None else start)
        return None if due is None or (end is not None and due > end) else due

    def _call(self, firing: _Firing) -> None:
        self._count(firing, "InvocationAttemptCount")
        try:
            send(self._clients, firing.region, firing.target, _input(firing))
        except (ClientError, BotoCoreError, LocalCloudError) as error:
            self._count(firing, "TargetErrorCount")
            self._again(firing, error)

    def _again(self, firing: _Firing, error: Exception) -> None:
        policy = firing.target.get("RetryPolicy") or {}
        next_ms = self._timeline.clock.now_ms() + _FIRST_RETRY_MS * 2 ** min(firing.attempt - 1, 10)
        oldest_ms = firing.at_ms + int(policy.get("MaximumEventAgeInSeconds", 86_400)) * 1_000
        if firing.attempt <= int(policy.get("MaximumRetryAttempts", 185)) and next_ms <= oldest_ms:
            following = replace(firing, attempt=firing.attempt + 1)
            self._timeline.at(next_ms, partial(self._call, following))
            return
        self._count(firing, "InvocationDroppedCount")
        queue_arn = (firing.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue_arn:
            self._bury(firing, error, queue_arn)

    def _bury(self, firing: _Firing, error: Exception, queue_arn: str) -> None:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        facts = {
            "ERROR_CODE": code,
            "ERROR_MESSAGE": str(error)[:1_000],
            "EXECUTION_ID": firing.execution,
            "RETRY_ATTEMPTS": str(firing.attempt - 1),
            "SCHEDULED_TIME": iso(firing.at_ms),
            "SCHEDULE_ARN": firing.arn,
            "TARGET_ARN": firing.target["Arn"],
        }
        sqs = self._clients.client("sqs", firing.region)
        name = queue_arn.rpartition(":")[2]
        try:
            sqs.send_message(
                QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"],
                MessageBody=_input(firing) or "{}",
                MessageAttributes={key: {"DataType": "String", "StringValue": value} for key, value in facts.items()},
            )
            self._count(firing, "InvocationsSentToDeadLetterCount")
        except ClientError:
            self._count(firing, "InvocationsFailedToBeSentToDeadLetterCount")

    def _count(self, firing: _Firing, name: str) -> None:
        group = firing.arn.split("/")[1]
        datum = Datum(
            "AWS/Scheduler", name, (("ScheduleGroup", group),), (1.0,), self._timeline.clock.now_ms(), "Count"
        )
        self._metrics.record(firing.account, firing.region, datum)


def _instant(value: Any) -> int | None:
    if value is None:
        return None
    return int(float(value) * 1_000) if isinstance(value, int | float | str) else to_ms(value)


def _input(firing: _Firing) -> str:
    """The target's input with the schedule's own words replaced."""
    words = {
        "<aws.scheduler.schedule-arn>": firing.arn,
        "<aws.scheduler.scheduled-time>": iso(firing.at_ms),
        "<aws.scheduler.execution-id>": firing.execution,
        "<aws.scheduler.attempt-number>": str(firing.attempt),
    }
    text: str = firing.target.get("Input") or ""
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def send(clients: Clients, region: str, target: Any, payload: str) -> None:
    """Call a target in the name of its role; raises LocalCloudError for a kind the local cloud cannot call."""
    arn: str = target["Arn"]
    client = clients.client
    role = target.get("RoleArn")
    if ":lambda:" in arn:
        body = (payload or "{}").encode()
        client("lambda", region, role).invoke(FunctionName=arn, InvocationType="Event", Payload=body)
    elif ":states:" in arn:
        client("stepfunctions", region, role).start_execution(
            stateMachineArn=arn, name=str(uuid.uuid4()), input=payload or "{}"
        )
    elif ":sqs:" in arn:
        sqs = client("sqs", region, role)
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=payload or "{}", **(target.get("SqsParameters") or {}))
    elif ":sns:" in arn:
        client("sns", region, role).publish(TopicArn=arn, Message=payload or "{}")
    elif match := re.fullmatch(r"arn:[\w-]+:scheduler:::aws-sdk:(\w+):(\w+)", arn):
        from botocore import xform_name

        service = {"sfn": "stepfunctions"}.get(match[1], match[1])
        getattr(client(service, region, role), xform_name(match[2]))(**json.loads(payload or "{}"))
    else:
        raise LocalCloudError(f"the local cloud cannot call the schedule target {arn}")

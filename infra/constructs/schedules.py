"""One schedule per view, which starts an incremental run when a grid time becomes due, and one that measures ages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from asof.manifest import FeatureView
from infra.constructs.function import make_role
from infra.permissions import Grant
from infra.places import Places
from infra.schedule_expression import schedule_expression

_IS_ONE = "It is the dead-letter queue of the schedules, which are no queues, so that the rule cannot see it"


class Schedules(Construct):
    """The schedules of all views that are not deprecated, each under its view's reference as id.

    A start that fails is repeated for an hour, then the letter is dead and an alarm goes off. A missed start loses
    nothing: the next run does all grid times that are due.
    """

    def __init__(self, scope: Construct, name: str, places: Places, views: Sequence[FeatureView]) -> None:
        super().__init__(scope, name)
        environment = places.environment
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=environment.named("dead-letters"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        Validations.of(self.dead_letters).acknowledge(Acknowledgment(id="AwsSolutions-SQS3", reason=_IS_ONE))
        queue_arn = places.arn("sqs", environment.named("dead-letters"))
        grants = [
            Grant(("states:StartExecution",), (places.machine("materialize"),)),
            Grant(("lambda:InvokeFunction",), (places.function("freshness"),)),
            Grant(("sqs:SendMessage",), (queue_arn,)),
        ]
        self._role = make_role(self, "Role", "scheduler.amazonaws.com", grants)
        self._queue_arn = queue_arn
        for view in views:
            self._schedule(
                view.reference,
                environment.schedule(view.name, view.version),
                schedule_expression(view),
                places.machine("materialize"),
                {"view": view.reference, "kind": "incremental"},
            )
        self._schedule(
            "Freshness", environment.named("freshness"), "cron(* * * * ? *)", places.function("freshness"), {}
        )

    def _schedule(self, construct_id: str, name: str, expression: str, target: str, given: Mapping[str, str]) -> None:
        scheduler.CfnSchedule(
            self,
            construct_id,
            name=name,
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=target,
                role_arn=self._role.role_arn,
                input=json.dumps(given),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=3_600, maximum_retry_attempts=10
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self._queue_arn),
            ),
        )

"""What wakes people: stale data, failed runs, dead letters, and an API that fails or is slow. All from the manifest."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from asof.clock import duration_text
from asof.manifest import FeatureView
from asof.monitor.metrics import DATA_AGE, TOO_LATE
from infra.constructs.metrics import api_metric, environment_metric, machine_metric, view_metric
from infra.environments import Deployment
from infra.places import Places

_PLAIN_TOPIC = "Messages name views, runs and error texts, no data; CloudWatch cannot publish to an AWS-managed key"


class Alarms(Construct):
    """One alarm per view that declares ``freshness``, and a handful for the environment; all tell one topic."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        places: Places,
        deployment: Deployment,
        views: Sequence[FeatureView],
        dead_letters: sqs.IQueue,
        api_id: str,
    ) -> None:
        super().__init__(scope, name)
        self._places = places
        self.topic = self._topic(deployment)
        self.freshness = [self._freshness(view) for view in views if view.freshness_ms is not None]
        self.others = [
            self._failed_runs(),
            self._too_late(),
            self._dead_letters(dead_letters),
            self._errors(api_id),
            self._latency(api_id, deployment.slow_answer_ms),
        ]

    def _topic(self, deployment: Deployment) -> sns.Topic:
        environment = self._places.environment
        topic = sns.Topic(self, "Topic", topic_name=environment.named("alarms"), enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
            )
        )
        if deployment.notify:
            topic.add_subscription(subscriptions.EmailSubscription(deployment.notify))
        Validations.of(topic).acknowledge(Acknowledgment(id="AwsSolutions-SNS2", reason=_PLAIN_TOPIC))
        return topic

    def _alarm(
        self,
        construct_id: str,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
        comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=self._places.environment.named(name),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm

    def _freshness(self, view: FeatureView) -> cloudwatch.Alarm:
        """The age of the newest data. Missing data is stale data: the view was never published, or nobody measures."""
        freshness_ms = view.freshness_ms or 0
        return self._alarm(
            view.reference,
            f"freshness-{view.name}-v{view.version}",
            f"The newest data of {view.reference} is older than {duration_text(freshness_ms)}. "
            f"Look at: asof status --env {self._places.environment.name}",
            view_metric(self._places, view, DATA_AGE, "Maximum"),
            freshness_ms,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _failed_runs(self) -> cloudwatch.Alarm:
        machine = self._places.machine("materialize")
        failed = {
            each.lower(): machine_metric(machine, f"Executions{each}") for each in ("Failed", "TimedOut", "Aborted")
        }
        total = cloudwatch.MathExpression(
            # Filled: what did not happen has no data, and a sum with something missing is missing itself.
            expression="FILL(failed, 0) + FILL(timedout, 0) + FILL(aborted, 0)",
            using_metrics=failed,
            label="Runs that failed",
            period=Duration.minutes(5),
        )
        what = (
            "A run failed, timed out or was stopped; it stays open and is finished by the next one. See: asof runs VIEW"
        )
        return self._alarm("FailedRuns", "failed-runs", what, total, 0)

    def _too_late(self) -> cloudwatch.Alarm:
        what = "Events came later than their source's lateness and were left out; repair with: asof backfill VIEW"
        return self._alarm("TooLate", "too-late", what, environment_metric(self._places, TOO_LATE, "Sum"), 0)

    def _dead_letters(self, queue: sqs.IQueue) -> cloudwatch.Alarm:
        what = "A schedule could not start its run for an hour"
        metric = queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum")
        return self._alarm("DeadLetters", "dead-letters", what, metric, 0)

    def _errors(self, api_id: str) -> cloudwatch.Alarm:
        what = "Lookups are answered with server errors"
        return self._alarm("ApiErrors", "api-errors", what, api_metric(api_id, "5xx", "Sum"), 0, periods=2)

    def _latency(self, api_id: str, slow_ms: int) -> cloudwatch.Alarm:
        what = f"One lookup in a hundred takes longer than {slow_ms} ms"
        return self._alarm("ApiLatency", "api-latency", what, api_metric(api_id, "Latency", "p99"), slow_ms, periods=5)

"""The resource types of the local cloud, one file each."""

from __future__ import annotations

from collections.abc import Callable

from asof.local.cloudformation.callbacks import Callbacks
from asof.local.cloudformation.provider import ResourceType
from asof.local.cloudformation.resources.apigatewayv2_api import ApiGatewayV2Api
from asof.local.cloudformation.resources.apigatewayv2_integration import ApiGatewayV2Integration
from asof.local.cloudformation.resources.apigatewayv2_route import ApiGatewayV2Route
from asof.local.cloudformation.resources.apigatewayv2_stage import ApiGatewayV2Stage
from asof.local.cloudformation.resources.athena_workgroup import AthenaWorkGroup
from asof.local.cloudformation.resources.cdk_metadata import CDKMetadata, WaitConditionHandle
from asof.local.cloudformation.resources.cloudwatch_alarm import CloudWatchAlarm
from asof.local.cloudformation.resources.cloudwatch_dashboard import CloudWatchDashboard
from asof.local.cloudformation.resources.custom_resource import CustomResource
from asof.local.cloudformation.resources.dynamodb_table import DynamoDBTable
from asof.local.cloudformation.resources.ecr_repository import ECRRepository
from asof.local.cloudformation.resources.glue_database import GlueDatabase
from asof.local.cloudformation.resources.glue_job import GlueJob
from asof.local.cloudformation.resources.glue_table import GlueTable
from asof.local.cloudformation.resources.iam_managed_policy import IAMManagedPolicy
from asof.local.cloudformation.resources.iam_policy import IAMPolicy
from asof.local.cloudformation.resources.iam_role import IAMRole
from asof.local.cloudformation.resources.kms_alias import KMSAlias
from asof.local.cloudformation.resources.kms_key import KMSKey
from asof.local.cloudformation.resources.lambda_function import LambdaFunction
from asof.local.cloudformation.resources.lambda_permission import LambdaPermission
from asof.local.cloudformation.resources.logs_log_group import LogsLogGroup
from asof.local.cloudformation.resources.s3_bucket import S3Bucket
from asof.local.cloudformation.resources.s3_bucket_policy import S3BucketPolicy
from asof.local.cloudformation.resources.scheduler_schedule import SchedulerSchedule
from asof.local.cloudformation.resources.scheduler_schedule_group import SchedulerScheduleGroup
from asof.local.cloudformation.resources.sns_subscription import SNSSubscription
from asof.local.cloudformation.resources.sns_topic import SNSTopic
from asof.local.cloudformation.resources.sns_topic_policy import SNSTopicPolicy
from asof.local.cloudformation.resources.sqs_queue import SQSQueue
from asof.local.cloudformation.resources.sqs_queue_policy import SQSQueuePolicy
from asof.local.cloudformation.resources.ssm_parameter import SSMParameter
from asof.local.cloudformation.resources.stepfunctions_state_machine import StepFunctionsStateMachine


def resource_types(callbacks: Callbacks) -> Callable[[str], ResourceType | None]:
    """Finds a type by its name, or None where the local cloud lacks it; ``Custom::`` is any custom resource."""
    custom = CustomResource(callbacks)
    kinds: tuple[ResourceType, ...] = (
        ApiGatewayV2Api(),
        ApiGatewayV2Integration(),
        ApiGatewayV2Route(),
        ApiGatewayV2Stage(),
        AthenaWorkGroup(),
        CDKMetadata(),
        CloudWatchAlarm(),
        CloudWatchDashboard(),
        DynamoDBTable(),
        ECRRepository(),
        GlueDatabase(),
        GlueJob(),
        GlueTable(),
        IAMManagedPolicy(),
        IAMPolicy(),
        IAMRole(),
        KMSAlias(),
        KMSKey(),
        LambdaFunction(),
        LambdaPermission(),
        LogsLogGroup(),
        S3Bucket(),
        S3BucketPolicy(),
        SNSSubscription(),
        SNSTopic(),
        SNSTopicPolicy(),
        SQSQueue(),
        SQSQueuePolicy(),
        SSMParameter(),
        SchedulerSchedule(),
        SchedulerScheduleGroup(),
        StepFunctionsStateMachine(),
        WaitConditionHandle(),
        custom,
    )
    by_name = {kind.type: kind for kind in kinds}

    def find(name: str) -> ResourceType | None:
        return custom if name.startswith("Custom::") else by_name.get(name)

    return find

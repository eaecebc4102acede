"""Each resource type is created, updated in place and deleted, as AWS's own APIs show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stacks import TRUST, deployed, function, machine, role, template

ClientOf = Callable[[str], Any]
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
PASS = {"StartAt": "Do", "States": {"Do": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "Do", "States": {"Do": {"Type": "Wait", "Seconds": 1, "End": True}}}
AT = {
    "ScheduleExpression": "cron(0 5 * * ? *)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": "arn:aws:sqs:eu-central-1:123456789012:none", "RoleArn": "arn:aws:iam::123456789012:role/r"},
}


@dataclass(frozen=True)
class Case:
    """A resource before and after an update. ``seen`` says through the API what the update is to change."""

    type: str
    before: dict[str, Any]
    after: dict[str, Any]
    seen: Callable[[ClientOf], Any]
    values: tuple[Any, Any]
    others: dict[str, Any] | None = None


def table_columns(client: ClientOf) -> Any:
    """Names of the Glue table's columns, and how many partitions it has."""
    found = client("glue").get_table(DatabaseName="types_db", Name="types_table")["Table"]
    return [column["Name"] for column in found["StorageDescriptor"]["Columns"]]


def alarm(client: ClientOf) -> Any:
    """The alarm's threshold."""
    found = client("cloudwatch").describe_alarms(AlarmNames=["types"])["MetricAlarms"]
    return found[0]["Threshold"]


def api(client: ClientOf) -> Any:
    """The HTTP API under its name."""
    return next(each for each in client("apigatewayv2").get_apis()["Items"] if each["Name"] == "types")


def columns(*names: str) -> dict[str, Any]:
    """A Glue table's properties."""
    described = {"Columns": [{"Name": name, "Type": "bigint"} for name in names], "Location": "s3://b/t/"}
    return {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseName": {"Ref": "Database"},
        "TableInput": {"Name": "types_table", "StorageDescriptor": described},
    }


DATABASE = {
    "Type": "AWS::Glue::Database",
    "Properties": {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseInput": {"Name": "types_db"}},
}
KEYS = {
    "TableName": "types",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
}
HTTP = {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "types", "ProtocolType": "HTTP"}}}
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:types"
INTEGRATION = {"ApiId": {"Ref": "Api"}, "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}
ALARM = {
    "AlarmName": "types",
    "Namespace": "N",
    "MetricName": "M",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}
SCRIPT = {"Name": "glueetl", "ScriptLocation": "s3://b/script.py", "PythonVersion": "3"}
WORKGROUP = {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": {"OutputLocation": "s3://b/"}}

CASES = [
    Case(
        "AWS::S3::Bucket",
        {"BucketName": "types-bucket", "Tags": [{"Key": "a", "Value": "1"}]},
        {
            "BucketName": "types-bucket",
            "VersioningConfiguration": {"Status": "Enabled"},
            "LifecycleConfiguration": {
                "Rules": [{"Id": "r", "Status": "Enabled", "Prefix": "x/", "ExpirationInDays": 1}]
            },
        },
        lambda client: client("s3").get_bucket_versioning(Bucket="types-bucket").get("Status"),
        (None, "Enabled"),
    ),
    Case(
        "AWS::S3::BucketPolicy",
        {"Bucket": {"Ref": "B"}, "PolicyDocument": {**POLICY, "Id": "one"}},
        {"Bucket": {"Ref": "B"}, "PolicyDocument": {**POLICY, "Id": "two"}},
        lambda client: json.loads(client("s3").get_bucket_policy(Bucket="types-policy")["Policy"])["Id"],
        ("one", "two"),
        {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "types-policy"}}},
    ),
    Case(
        "AWS::DynamoDB::Table",
        KEYS,
        {**KEYS, "TimeToLiveSpecification": {"AttributeName": "x", "Enabled": True}},
        lambda client: (
            client("dynamodb").describe_time_to_live(TableName="types")["TimeToLiveDescription"].get("AttributeName")
        ),
        (None, "x"),
    ),
    Case(
        "AWS::Glue::Table", columns("a"), columns("a", "b"), table_columns, (["a"], ["a", "b"]), {"Database": DATABASE}
    ),
    Case(
        "AWS::Glue::Job",
        {"Name": "types", "Role": "arn:aws:iam::123456789012:role/r", "Command": SCRIPT, "GlueVersion": "5.0"},
        {"Name": "types", "Role": "arn:aws:iam::123456789012:role/r", "Command": SCRIPT, "Timeout": 7},
        lambda client: client("glue").get_job(JobName="types")["Job"].get("Timeout"),
        (None, 7),
    ),
    Case(
        "AWS::Glue::Database",
        {"CatalogId": "1", "DatabaseInput": {"Name": "types_other", "Description": "one"}},
        {"CatalogId": "1", "DatabaseInput": {"Name": "types_other", "Description": "two"}},
        lambda client: client("glue").get_database(Name="types_other")["Database"]["Description"],
        ("one", "two"),
    ),
    Case(
        "AWS::Athena::WorkGroup",
        {"Name": "types", "WorkGroupConfiguration": {**WORKGROUP, "BytesScannedCutoffPerQuery": 10_000_000}},
        {"Name": "types", "WorkGroupConfiguration": WORKGROUP},
        lambda client: (
            client("athena")
            .get_work_group(WorkGroup="types")["WorkGroup"]["Configuration"]
            .get("BytesScannedCutoffPerQuery")
        ),
        (10_000_000, None),
    ),
    Case(
        "AWS::IAM::Role",
        {"RoleName": "types", "AssumeRolePolicyDocument": TRUST, "Description": "one"},
        {
            "RoleName": "types",
            "AssumeRolePolicyDocument": TRUST,
            "Description": "two",
            "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}],
        },
        lambda client: client("iam").list_role_policies(RoleName="types")["PolicyNames"],
        ([], ["p"]),
    ),
    Case(
        "AWS::IAM::Policy",
        {"PolicyName": "p", "PolicyDocument": POLICY, "Roles": [{"Ref": "R"}]},
        {"PolicyName": "p", "PolicyDocument": {**POLICY, "Id": "two"}, "Roles": [{"Ref": "R"}]},
        lambda client: client("iam").get_role_policy(RoleName="types-p", PolicyName="p")["PolicyDocument"].get("Id"),
        (None, "two"),
        {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "types-p", "AssumeRolePolicyDocument": TRUST}}},
    ),
    Case(
        "AWS::IAM::ManagedPolicy",
        {"ManagedPolicyName": "types", "PolicyDocument": POLICY},
        {"ManagedPolicyName": "types", "PolicyDocument": {**POLICY, "Id": "two"}},
        lambda client: client("iam").get_policy(PolicyArn="arn:aws:iam::123456789012:policy/types")["Policy"][
            "DefaultVersionId"
        ],
        ("v1", "v2"),
    ),
    Case(
        "AWS::Lambda::Function",
        function("types", "def handle(e, c): return 1", MemorySize=256)["Properties"],
        function("types", "def handle(e, c): return 1", Environment={"Variables": {"A": "b"}})["Properties"],
        lambda client: client("lambda").get_function_configuration(FunctionName="types")["MemorySize"],
        (256, 128),
        {"Role": role()},
    ),
    Case(
        "AWS::Lambda::Permission",
        {"FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"},
        {"FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"},
        lambda client: [
            each["Principal"]["Service"]
            for each in json.loads(client("lambda").get_policy(FunctionName="types-p")["Policy"])["Statement"]
        ],
        (["sns.amazonaws.com"], ["events.amazonaws.com"]),
        {"Role": role(), "F": function("types-p", "def handle(e, c): return 1")},
    ),
    Case(
        "AWS::Logs::LogGroup",
        {"LogGroupName": "/types", "RetentionInDays": 7},
        {"LogGroupName": "/types", "RetentionInDays": 30},
        lambda client: client("logs").describe_log_groups(logGroupNamePrefix="/types")["logGroups"][0][
            "retentionInDays"
        ],
        (7, 30),
    ),
    Case(
        "AWS::StepFunctions::StateMachine",
        machine("types", PASS)["Properties"],
        machine("types", WAIT)["Properties"],
        lambda client: json.loads(
            client("stepfunctions").describe_state_machine(
                stateMachineArn="arn:aws:states:eu-central-1:123456789012:stateMachine:types"
            )["definition"]
        ),
        (PASS, WAIT),
        {"Role": role()},
    ),
    Case(
        "AWS::Scheduler::Schedule",
        {"Name": "types", **AT},
        {"Name": "types", **AT, "State": "DISABLED"},
        lambda client: client("scheduler").get_schedule(Name="types")["State"],
        ("ENABLED", "DISABLED"),
    ),
    Case(
        "AWS::Scheduler::ScheduleGroup",
        {"Name": "types"},
        {"Name": "types", "Tags": [{"Key": "a", "Value": "1"}]},
        lambda client: client("scheduler").get_schedule_group(Name="types")["Name"],
        ("types", "types"),
    ),
    Case(
        "AWS::ApiGatewayV2::Api",
        {"Name": "types", "ProtocolType": "HTTP", "Description": "one"},
        {"Name": "types", "ProtocolType": "HTTP", "Description": "two"},
        lambda client: api(client)["Description"],
        ("one", "two"),
    ),
    Case(
        "AWS::ApiGatewayV2::Integration",
        {**INTEGRATION, "IntegrationUri": LAMBDA},
        {**INTEGRATION, "IntegrationUri": f"{LAMBDA}2"},
        lambda client: client("apigatewayv2").get_integrations(ApiId=api(client)["ApiId"])["Items"][0][
            "IntegrationUri"
        ],
        (LAMBDA, f"{LAMBDA}2"),
        HTTP,
    ),
    Case(
        "AWS::ApiGatewayV2::Route",
        {"ApiId": {"Ref": "Api"}, "RouteKey": "GET /a"},
        {"ApiId": {"Ref": "Api"}, "RouteKey": "GET /a", "AuthorizationType": "AWS_IAM"},
        lambda client: client("apigatewayv2").get_routes(ApiId=api(client)["ApiId"])["Items"][0]["AuthorizationType"],
        ("NONE", "AWS_IAM"),
        HTTP,
    ),
    Case(
        "AWS::ApiGatewayV2::Stage",
        {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        {
            "ApiId": {"Ref": "Api"},
            "StageName": "$default",
            "AutoDeploy": True,
            "DefaultRouteSettings": {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 9},
        },
        lambda client: (
            client("apigatewayv2")
            .get_stages(ApiId=api(client)["ApiId"])["Items"][0]["DefaultRouteSettings"]
            .get("ThrottlingBurstLimit")
        ),
        (None, 9),
        HTTP,
    ),
    Case("AWS::CloudWatch::Alarm", {**ALARM, "Threshold": 1}, {**ALARM, "Threshold": 2}, alarm, (1.0, 2.0)),
    Case(
        "AWS::CloudWatch::Dashboard",
        {"DashboardName": "types", "DashboardBody": '{"widgets":[]}'},
        {"DashboardName": "types", "DashboardBody": '{"widgets":[ ]}'},
        lambda client: client("cloudwatch").get_dashboard(DashboardName="types")["DashboardBody"],
        ('{"widgets":[]}', '{"widgets":[ ]}'),
    ),
    Case(
        "AWS::SNS::Topic",
        {"TopicName": "types", "DisplayName": "one"},
        {"TopicName": "types", "DisplayName": "two"},
        lambda client: client("sns").get_topic_attributes(TopicArn="arn:aws:sns:eu-central-1:123456789012:types")[
            "Attributes"
        ]["DisplayName"],
        ("one", "two"),
    ),
    Case(
        "AWS::SNS::TopicPolicy",
        {"Topics": [{"Ref": "T"}], "PolicyDocument": {**POLICY, "Id": "one"}},
        {"Topics": [{"Ref": "T"}], "PolicyDocument": {**POLICY, "Id": "two"}},
        lambda client: json.loads(
            client("sns").get_topic_attributes(TopicArn="arn:aws:sns:eu-central-1:123456789012:types-p")["Attributes"][
                "Policy"
            ]
        )["Id"],
        ("one", "two"),
        {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "types-p"}}},
    ),
    Case(
        "AWS::SNS::Subscription",
        {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "one@example.com"},
        {"TopicArn": {"Ref": "T"}, "Protocol": "email", "Endpoint": "two@example.com"},
        lambda client: [
            each["Endpoint"]
            for each in client("sns").list_subscriptions_by_topic(
                TopicArn="arn:aws:sns:eu-central-1:123456789012:types-s"
            )["Subscriptions"]
        ],
        (["one@example.com"], ["two@example.com"]),
        {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "types-s"}}},
    ),
    Case(
        "AWS::SQS::Queue",
        {"QueueName": "types", "VisibilityTimeout": 10},
        {"QueueName": "types", "VisibilityTimeout": 20},
        lambda client: client("sqs").get_queue_attributes(
            QueueUrl=client("sqs").get_queue_url(QueueName="types")["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]["VisibilityTimeout"],
        ("10", "20"),
    ),
    Case(
        "AWS::SQS::QueuePolicy",
        {"Queues": [{"Ref": "Q"}], "PolicyDocument": {**POLICY, "Id": "one"}},
        {"Queues": [{"Ref": "Q"}], "PolicyDocument": {**POLICY, "Id": "two"}},
        lambda client: json.loads(
            client("sqs").get_queue_attributes(
                QueueUrl=client("sqs").get_queue_url(QueueName="types-p")["QueueUrl"], AttributeNames=["All"]
            )["Attributes"]["Policy"]
        )["Id"],
        ("one", "two"),
        {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "types-p"}}},
    ),
    Case(
        "AWS::SSM::Parameter",
        {"Name": "/types", "Type": "String", "Value": "one"},
        {"Name": "/types", "Type": "String", "Value": "two"},
        lambda client: client("ssm").get_parameter(Name="/types")["Parameter"]["Value"],
        ("one", "two"),
    ),
    Case(
        "AWS::ECR::Repository",
        {"RepositoryName": "types"},
        {"RepositoryName": "types", "ImageTagMutability": "IMMUTABLE"},
        lambda client: client("ecr").describe_repositories(repositoryNames=["types"])["repositories"][0][
            "imageTagMutability"
        ],
        ("MUTABLE", "IMMUTABLE"),
    ),
    Case(
        "AWS::KMS::Alias",
        {"AliasName": "alias/types", "TargetKeyId": {"Ref": "K"}},
        {"AliasName": "alias/types", "TargetKeyId": {"Ref": "L"}},
        lambda client: client("kms").describe_key(KeyId="alias/types")["KeyMetadata"]["Description"],
        ("one", "two"),
        {
            "K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": POLICY, "Description": "one"}},
            "L": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": POLICY, "Description": "two"}},
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_is_created_updated_and_deleted(client: ClientOf, case: Case) -> None:
    """The API shows the first value, then the second, then nothing."""
    cloudformation, name = client("cloudformation"), case.type.replace("::", "-")
    others = case.others or {}
    for properties, value in zip((case.before, case.after), case.values, strict=True):
        resource = {"Type": case.type, "Properties": properties}
        deployed(cloudformation, name, template({**others, "It": resource}))
        assert case.seen(client) == value
    if others:
        deployed(cloudformation, name, template(others))
        assert gone(case, client)
    cloudformation.delete_stack(StackName=name)
    assert gone(case, client)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=name)


def test_a_glue_job_is_not_run(client: ClientOf) -> None:
    """There is no Spark here, and no success is made up; a job that does not exist is said not to."""
    glue = client("glue")
    glue.create_job(Name="described", Role="arn:aws:iam::123456789012:role/r", Command=SCRIPT)
    with pytest.raises(ClientError, match=r"does not run Glue jobs.*python -m glue_jobs"):
        glue.start_job_run(JobName="described")
    with pytest.raises(ClientError, match="EntityNotFound"):
        glue.start_job_run(JobName="another")
    assert glue.get_job_runs(JobName="described")["JobRuns"] == []


def gone(case: Case, client: ClientOf) -> bool:
    """Whether what the case created is not there any more."""
    try:
        found = case.seen(client)
    except (ClientError, LookupError, StopIteration, KeyError):
        return True
    return not found

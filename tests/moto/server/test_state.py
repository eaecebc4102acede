"""A local cloud with a state folder goes on where it ended; what does not fit is refused, and left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from asof.clock import iso
from asof.errors import LocalCloudError
from asof.local.server import LocalServer
from asof.local.server.state import StateFolder
from tests.support.stacks import deployed, function, machine, role, status, template

NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z
DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)
ACCOUNT, REGION = "123456789012", "eu-central-1"
SAYS = "def handle(event, context):\n    return {'said': 'WORD', 'given': event}\n"
ALARM = {
    "AlarmName": "many",
    "Namespace": "test",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 5,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
Clients = Callable[[str], Any]


def stack(word: str) -> str:
    """A stack of everything a feature store is deployed as."""
    says = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload"}
    states = {
        "Wait": {"Type": "Wait", "Seconds": 3_600, "Next": "Say"},
        "Say": {**says, "Parameters": {"FunctionName": "says", "Payload.$": "$"}, "End": True},
        "Straight": {"Type": "Choice", "Choices": [{"Variable": "$.wait", "BooleanEquals": True, "Next": "Wait"}],
                     "Default": "Say"},
    }  # fmt: skip
    hourly = {
        "ScheduleExpression": "cron(30 * * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            "Input": '"<aws.scheduler.scheduled-time>"',
        },
    }
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    types = [{"AttributeName": "pk", "AttributeType": "S"}]
    table = {"TableName": "items", "KeySchema": keys, "AttributeDefinitions": types, "BillingMode": "PAY_PER_REQUEST"}
    resources: dict[str, Any] = {
        "Role": role(),
        "Says": function("says", SAYS.replace("WORD", word)),
        "Machine": machine("tells", {"StartAt": "Straight", "States": states}),
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "rings"}},
        "Hourly": {"Type": "AWS::Scheduler::Schedule", "Properties": hourly},
        "Many": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM},
        "Items": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Objects": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "objects"}},
        "Word": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "word", "Type": "String", "Value": word}},
        "Catalog": {
            "Type": "AWS::Glue::Database",
            "Properties": {"CatalogId": ACCOUNT, "DatabaseInput": {"Name": "raw"}},
        },
    }
    return template(resources, {"Url": {"Ref": "Queue"}})


def clients(server: LocalServer) -> Clients:
    """Makes ordinary clients of boto3's."""
    session = boto3.Session("local", "local", region_name=server.region)
    once = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    make: Any = session.client  # boto3's stubs know services by literal names only
    return lambda service: make(service, endpoint_url=server.endpoint, config=once)


def fill(server: LocalServer, client: Clients) -> None:
    """Deploy, and put something into everything."""
    deployed(client("cloudformation"), "small", stack("before"))
    client("s3").put_object(Bucket="objects", Key="raw/t/data.csv", Body=b"1\n2\n")
    client("dynamodb").put_item(TableName="items", Item={"pk": {"S": "a"}, "n": {"N": "1"}})
    storage = {
        "Columns": [{"Name": "n", "Type": "int"}],
        "Location": "s3://objects/raw/t/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
    }
    client("glue").create_table(
        DatabaseName="raw",
        TableInput={"Name": "t", "StorageDescriptor": storage, "TableType": "EXTERNAL_TABLE"},
    )
    client("athena").start_query_execution(
        QueryString="SELECT 1 AS one",
        ClientRequestToken="t" * 32,
        ResultConfiguration={"OutputLocation": "s3://objects/results/"},
    )
    client("cloudwatch").put_metric_data(Namespace="test", MetricData=[{"MetricName": "m", "Value": 9}])
    for name, wait in (("straight", False), ("waits", True)):
        client("stepfunctions").start_execution(
            stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:tells",
            name=name,
            input=json.dumps({"wait": wait}),
        )
    assert server.advance("40m")


def answers(client: Clients) -> dict[str, Any]:
    """What the clients see, in every service that something was put into."""
    run = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:tells:straight"
    query = client("athena").list_query_executions()["QueryExecutionIds"][0]
    queue = client("sqs").get_queue_url(QueueName="rings")["QueueUrl"]
    found = {
        "stack": client("cloudformation").describe_stacks(StackName="small"),
        "resources": client("cloudformation").describe_stack_resources(StackName="small"),
        "events": client("cloudformation").describe_stack_events(StackName="small"),
        "item": client("dynamodb").scan(TableName="items"),
        "listed": client("s3").list_objects_v2(Bucket="objects", Prefix="raw/"),
        "table": client("glue").get_table(DatabaseName="raw", Name="t"),
        "query": client("athena").get_query_execution(QueryExecutionId=query),
        "rows": client("athena").get_query_results(QueryExecutionId=query),
        "said": json.loads(client("lambda").invoke(FunctionName="says", Payload=b"{}")["Payload"].read()),
        "function": client("lambda").get_function_configuration(FunctionName="says"),
        "run": client("stepfunctions").describe_execution(executionArn=run),
        "history": client("stepfunctions").get_execution_history(executionArn=run),
        "alarm": client("cloudwatch").describe_alarms(AlarmNames=["many"]),
        "schedules": client("scheduler").list_schedules(),
        "word": client("ssm").get_parameter(Name="word"),
        "role": client("iam").list_roles(),
        "rings": client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"]),
        "metric": client("cloudwatch").get_metric_statistics(
            Namespace="test", MetricName="m", Period=3600, Statistics=["Sum"], StartTime=DAY,
            EndTime=datetime(2026, 1, 2, tzinfo=timezone.utc),
        ),
    }  # fmt: skip
    for answer in found.values():
        answer.pop("ResponseMetadata", None)
    return found


def rung(client: Clients) -> list[str]:
    """The times at which the schedule rang; they are asked for once."""
    url = client("sqs").get_queue_url(QueueName="rings")["QueueUrl"]
    page = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return sorted(json.loads(each["Body"]) for each in page)


def test_everything_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Every answer is as before, and then schedules, alarms, functions, redrives and updates of stacks go on."""
    with LocalServer(now_ms=NOON_MS, state_dir=tmp_path) as server:
        client = clients(server)
        fill(server, client)
        before, then_ms = answers(client), server.now_ms()
    with LocalServer(state_dir=tmp_path) as server:
        client = clients(server)
        assert answers(client) == before
        assert 0 <= server.now_ms() - then_ms < 600_000
        waits = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:tells:waits"
        # What only waited was ended, and goes on by a redrive.
        assert client("stepfunctions").describe_execution(executionArn=waits)["status"] == "ABORTED"
        client("stepfunctions").redrive_execution(executionArn=waits)
        client("cloudwatch").put_metric_data(Namespace="test", MetricData=[{"MetricName": "m", "Value": 9}])
        assert server.advance("1m")
        assert client("cloudwatch").describe_alarms(AlarmNames=["many"])["MetricAlarms"][0]["StateValue"] == "ALARM"
        assert server.advance("1h")
        assert rung(client) == [iso(NOON_MS + 30 * 60_000), iso(NOON_MS + 90 * 60_000)]
        assert client("stepfunctions").describe_execution(executionArn=waits)["status"] == "SUCCEEDED"
        deployed(client("cloudformation"), "small", stack("after"))
        said = json.loads(client("lambda").invoke(FunctionName="says", Payload=b"{}")["Payload"].read())
        assert said["said"] == client("ssm").get_parameter(Name="word")["Parameter"]["Value"] == "after"
    with LocalServer(state_dir=tmp_path) as server:
        client = clients(server)
        assert status(client("cloudformation"), "small") == "UPDATE_COMPLETE"
        client("s3").delete_object(Bucket="objects", Key="raw/t/data.csv")
        for listed in client("s3").list_objects_v2(Bucket="objects").get("Contents", []):
            client("s3").delete_object(Bucket="objects", Key=listed["Key"])
        client("cloudformation").delete_stack(StackName="small")
        assert client("cloudformation").describe_stacks()["Stacks"] == []
        assert client("dynamodb").list_tables()["TableNames"] == []


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a state with one bucket, whose clock was set."""
    folder = tmp_path_factory.mktemp("kept")
    with LocalServer(now_ms=NOON_MS, state_dir=folder) as server:
        place: Any = {"LocationConstraint": REGION}
        clients(server)("s3").create_bucket(Bucket="one", CreateBucketConfiguration=place)
    return (folder / "cloud.state").read_bytes()


def changed(content: bytes, **facts: Any) -> bytes:
    """The state with other facts in its head."""
    head, _, data = content.partition(b"\n")
    found = json.loads(head)
    for name, value in facts.items():
        part = next(each for each in (found["versions"], found["place"], found) if name in each)
        part[name] = value
    return json.dumps(found).encode() + b"\n" + data


@pytest.mark.parametrize(
    ("facts", "asked", "why"),
    [
        ({"format": 0}, {}, "was written by format 0"),
        ({"moto": "5.0.0"}, {}, r"moto 5\.0\.0.*and this is format 1"),
        ({"python": "3.10"}, {}, r"python 3\.10"),
        ({"sha256": "0"}, {}, "is damaged"),
        ({}, {"account": "000000000001"}, "is of account 123456789012 in eu-central-1, not of 000000000001"),
        ({"port": 1}, {"port": 2}, "addresses are on port 1, not on 2"),
        ({}, {"now_ms": NOON_MS}, "--now is for a new one"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    kept: bytes, tmp_path: Path, facts: dict[str, Any], asked: dict[str, Any], why: str
) -> None:
    """By what is wrong and what to do; it stays as it is."""
    file, content = tmp_path / "cloud.state", changed(kept, **facts)
    file.write_bytes(content)
    with pytest.raises(LocalCloudError, match=why) as caught:
        LocalServer(state_dir=tmp_path, **asked).start()
    assert "remove it to begin anew, or give another --state-dir" in str(caught.value)
    assert file.read_bytes() == content


def test_something_else_is_not_taken_for_a_state(tmp_path: Path) -> None:
    """A file of that name that nobody here has written."""
    (tmp_path / "cloud.state").write_bytes(b"[]\nnothing")
    with pytest.raises(LocalCloudError, match="is not a state of a local cloud"):
        LocalServer(state_dir=tmp_path).start()


def test_a_folder_is_one_clouds_at_a_time(tmp_path: Path) -> None:
    """Another one would lose what the first has kept."""
    with (
        LocalServer(state_dir=tmp_path),
        pytest.raises(LocalCloudError, match="another local cloud keeps its state"),
        StateFolder(tmp_path).locked(),
    ):
        pass


def test_what_cannot_be_kept_leaves_the_earlier_state(kept: bytes, tmp_path: Path) -> None:
    """It is said, and what was kept before is still there."""
    (tmp_path / "cloud.state").write_bytes(kept)
    server = LocalServer(state_dir=tmp_path).start()
    with (tmp_path / "cloud.state").open("rb") as cannot:
        server.assembly.timeline.at(NOON_MS * 2, cannot.close)
        with pytest.raises(LocalCloudError, match="cannot keep its state"):
            server.stop()
    assert (tmp_path / "cloud.state").read_bytes() == kept
    with LocalServer(state_dir=tmp_path) as again:
        assert [each["Name"] for each in clients(again)("s3").list_buckets()["Buckets"]] == ["one"]


def test_a_clock_that_was_never_set_stays_the_machines(tmp_path: Path) -> None:
    """Only one that was set or moved stands still between two runs."""
    with LocalServer(state_dir=tmp_path):
        pass
    with LocalServer(state_dir=tmp_path) as server:
        assert server.assembly.clock.offset_ms == 0

"""Deployed state machines run deployed functions and queries; they can be stopped, watched and redriven."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from asof.local.server import LocalServer
from tests.support.stacks import deployed, function, machine, role, template

LAMBDA = "arn:aws:states:::lambda:invoke"
QUERY = "arn:aws:states:::athena:startQueryExecution.sync"

SOURCE = '''
import json, time, boto3
counts = boto3.client("dynamodb")

class BusyError(Exception): pass

def handle(event, context):
    """Counts its calls per key in a table, and fails as long as the event says."""
    key = event["key"]
    calls = int(counts.update_item(TableName="calls", Key={"k": {"S": key}}, UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}}, ReturnValues="ALL_NEW")["Attributes"]["n"]["N"])
    if calls <= event.get("fails", 0):
        raise BusyError("try again")
    time.sleep(event.get("seconds", 0))
    return {"key": key, "calls": calls}
'''


def invoke(following: str | None, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task that invokes the function."""
    end = {"End": True} if following is None else {"Next": following}
    parameters = {"FunctionName": "count", "Payload": payload}
    return {"Type": "Task", "Resource": LAMBDA, "Parameters": parameters, "OutputPath": "$.Payload", **end, **more}


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run(client: Callable[[str], Any]) -> Run:
    """Deploys a definition, starts it and returns the execution when it has ended."""
    resources: dict[str, Any] = {
        "Role": role(),
        "Count": function("count", SOURCE),
        "Calls": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "calls",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            },
        },
        "Results": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "machine-results"}},
        "Group": {
            "Type": "AWS::Athena::WorkGroup",
            "Properties": {
                "Name": "machine",
                "WorkGroupConfiguration": {
                    "EnforceWorkGroupConfiguration": True,
                    "ResultConfiguration": {"OutputLocation": "s3://machine-results/"},
                },
            },
        },
    }
    deployed(client("cloudformation"), "parts", template(resources))

    def start(name: str, states: dict[str, Any], given: Any = None, *, wait: bool = True) -> dict[str, Any]:
        definition = {"StartAt": next(iter(states)), "States": states}
        deployed(client("cloudformation"), name, template({"Role": role(), "M": machine(name, definition)}))
        arn = f"arn:aws:states:eu-central-1:123456789012:stateMachine:{name}"
        begun = client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(given or {}))
        return ended(client, begun["executionArn"]) if wait else begun

    return start


def ended(client: Callable[[str], Any], arn: str) -> dict[str, Any]:
    """The execution's description when it runs no more, with its output parsed."""
    for _ in range(600):
        found: dict[str, Any] = client("stepfunctions").describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return {**found, "output": json.loads(found["output"]) if "output" in found else None}
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


def calls(client: Callable[[str], Any], key: str) -> int:
    """How often the function was called for a key."""
    item = client("dynamodb").get_item(TableName="calls", Key={"k": {"S": key}}).get("Item", {"n": {"N": "0"}})
    return int(item["n"]["N"])


def events(client: Callable[[str], Any], arn: str) -> list[str]:
    """The kinds of an execution's events, in order."""
    return [each["type"] for each in client("stepfunctions").get_execution_history(executionArn=arn)["events"]]


def test_a_query_is_awaited_and_its_description_is_the_result(client: Callable[[str], Any], run: Run) -> None:
    """``athena:startQueryExecution.sync`` answers with GetQueryExecution's shape."""
    query = {
        "Type": "Task",
        "Resource": QUERY,
        "Parameters": {"QueryString.$": "$.sql", "WorkGroup": "machine", "ClientRequestToken": "t" * 32},
        "ResultSelector": {
            "id.$": "$.QueryExecution.QueryExecutionId",
            "state.$": "$.QueryExecution.Status.State",
            "scanned.$": "$.QueryExecution.Statistics.DataScannedInBytes",
        },
        "End": True,
    }
    found = run("query", {"Query": query}, {"sql": "SELECT 1 + 1 AS two"})
    assert found["status"] == "SUCCEEDED"
    assert found["output"]["state"] == "SUCCEEDED"
    rows = client("athena").get_query_results(QueryExecutionId=found["output"]["id"])["ResultSet"]["Rows"]
    assert rows[1]["Data"][0]["VarCharValue"] == "2"
    assert "TaskSubmitted" in events(client, found["executionArn"])


@pytest.mark.parametrize(
    ("sql", "group", "error"),
    [("SELECT nothing FROM nowhere", "machine", "States.TaskFailed"), ("SELECT 1", "absent", "Athena.InvalidRequest")],
)
def test_a_query_that_fails_is_an_error_by_name(run: Run, sql: str, group: str, error: str) -> None:
    """A failed query is States.TaskFailed with its description as cause; a refused call is Athena's own error."""
    task = {"Type": "Task", "Resource": QUERY, "Parameters": {"QueryString": sql, "WorkGroup": group}, "End": True}
    found = run(f"bad-{group}", {"Query": task})
    assert found["status"] == "FAILED"
    assert found["error"].startswith(error)
    assert ("StateChangeReason" in found["cause"]) == (error == "States.TaskFailed")


def test_a_failure_inside_a_map_keeps_its_name(run: Run) -> None:
    """Also the names that begin with States, up to the Fail state that repeats them."""
    query = {
        "Type": "Task",
        "Resource": QUERY,
        "Parameters": {"QueryString": "SELECT x FROM nowhere", "WorkGroup": "machine"},
        "End": True,
    }
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Query", "States": {"Query": query}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
        "End": True,
    }
    failed = {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}
    found = run("inside", {"Each": each, "Failed": failed}, {"items": [1]})
    assert (found["status"], found["error"]) == ("FAILED", "States.TaskFailed")
    assert "nowhere" in found["cause"]


def test_retries_wait_in_the_clouds_time_and_then_succeed(
    server: LocalServer, client: Callable[[str], Any], run: Run
) -> None:
    """An hour's pause between retries passes when the clock is moved."""
    retry = [{"ErrorEquals": ["BusyError"], "IntervalSeconds": 3_600, "MaxAttempts": 2}]
    begun = run("retry", {"Do": invoke(None, {"key": "retry", "fails": 1}, Retry=retry)}, wait=False)
    assert server.advance("2h")
    found = ended(client, begun["executionArn"])
    assert (found["status"], found["output"]["calls"]) == ("SUCCEEDED", 2)


def test_an_error_is_caught_by_its_type(client: Callable[[str], Any], run: Run) -> None:
    """The exception's class is the error's name; its text is in the cause."""
    caught = [{"ErrorEquals": ["BusyError"], "ResultPath": "$.error", "Next": "Tell"}]
    states = {
        "Do": invoke(None, {"key": "caught", "fails": 9}, Catch=caught),
        "Tell": {"Type": "Pass", "Parameters": {"error.$": "$.error.Error", "cause.$": "$.error.Cause"}, "End": True},
    }
    found = run("caught", states)
    assert (found["status"], found["output"]["error"]) == ("SUCCEEDED", "BusyError")
    assert "try again" in found["output"]["cause"]
    assert calls(client, "caught") == 1


@pytest.mark.parametrize("count", [0, 12])
def test_a_distributed_map_reads_every_object_of_a_prefix(
    client: Callable[[str], Any], run: Run, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also none, and more than one page of a listing."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "5")
    s3 = client("s3")
    bucket = f"objects-{count}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for number in range(count):
        s3.put_object(Bucket=bucket, Key=f"part/{number:04}", Body=b"")
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": bucket, "Prefix": "part/"},
        },
        "ItemSelector": {"key.$": "$$.Map.Item.Value.Key"},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Keep",
            "States": {"Keep": {"Type": "Pass", "End": True}},
        },
        "MaxConcurrency": 20,
        "End": True,
    }
    found = run(f"map-{count}", {"Each": each})
    assert found["status"] == "SUCCEEDED", found
    assert sorted(item["key"] for item in found["output"]) == [f"part/{number:04}" for number in range(count)]


def test_an_execution_that_is_stopped_is_aborted_at_once_and_redrives(client: Callable[[str], Any], run: Run) -> None:
    """A redrive repeats the state that was at work, and nothing that had succeeded."""
    states = {
        "First": invoke("Second", {"key": "first"}),
        "Second": invoke("Third", {"key": "second", "seconds": 1}),
        "Third": invoke(None, {"key": "third"}),
    }
    begun = run("stopped", states, wait=False)
    arn = begun["executionArn"]
    while not calls(client, "second"):
        time.sleep(0.02)
    client("stepfunctions").stop_execution(executionArn=arn, error="Killed", cause="by a test")
    stopped = client("stepfunctions").describe_execution(executionArn=arn)
    assert (stopped["status"], stopped["error"], stopped["redriveStatus"]) == ("ABORTED", "Killed", "REDRIVABLE")
    client("stepfunctions").redrive_execution(executionArn=arn)
    found = ended(client, arn)
    assert (found["status"], found["redriveCount"]) == ("SUCCEEDED", 1)
    assert [calls(client, key) for key in ("first", "second", "third")] == [1, 2, 1]
    kinds = events(client, arn)
    assert kinds.index("ExecutionRedriven") > kinds.index("ExecutionAborted")
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        client("stepfunctions").redrive_execution(executionArn=arn)


def test_a_redrive_repeats_only_the_failed_iterations_of_a_map(client: Callable[[str], Any], run: Run) -> None:
    """Iterations that had succeeded are not called again."""
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 1,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Do",
            "States": {"Do": invoke(None, {"key.$": "$.key", "fails.$": "$.fails"})},
        },
        "End": True,
    }
    items = [{"key": "m0", "fails": 0}, {"key": "m1", "fails": 1}, {"key": "m2", "fails": 0}]
    failed = run("mapped", {"Each": each}, {"items": items})
    assert (failed["status"], failed["error"]) == ("FAILED", "BusyError")
    client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])
    found = ended(client, failed["executionArn"])
    assert [item["key"] for item in found["output"]] == ["m0", "m1", "m2"]
    assert [calls(client, key) for key in ("m0", "m1", "m2")] == [1, 2, 1]


def test_a_wait_passes_when_the_clock_is_moved(server: LocalServer, client: Callable[[str], Any], run: Run) -> None:
    """A state machine that waits for a day needs no day."""
    states = {"Wait": {"Type": "Wait", "Seconds": 86_400, "Next": "Done"}, "Done": {"Type": "Succeed"}}
    begun = run("wait", states, wait=False)
    assert server.advance("1d")
    assert ended(client, begun["executionArn"])["status"] == "SUCCEEDED"


def test_a_machine_waits_for_another_machine(run: Run) -> None:
    """``states:startExecution.sync:2`` answers with the other's output as JSON."""
    run("inner", {"Do": {"Type": "Pass", "Result": {"answer": 42}, "End": True}})
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:inner", "Input": {}},
        "OutputPath": "$.Output",
        "End": True,
    }
    found = run("outer", {"Call": call})
    assert (found["status"], found["output"]) == ("SUCCEEDED", {"answer": 42})


def test_failed_executions_are_counted(server: LocalServer, client: Callable[[str], Any], run: Run) -> None:
    """In AWS/States, under the state machine's ARN."""
    run("failing", {"No": {"Type": "Fail", "Error": "No", "Cause": "never"}})
    now = server.now_ms() / 1_000
    found = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/States",
        MetricName="ExecutionsFailed",
        Dimensions=[
            {"Name": "StateMachineArn", "Value": "arn:aws:states:eu-central-1:123456789012:stateMachine:failing"}
        ],
        StartTime=now - 3_600,
        EndTime=now + 60,
        Period=3_600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in found) == 1.0


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (
            {"Type": "Task", "Resource": "arn:aws:states:::codebuild:startBuild.sync", "Parameters": {}, "End": True},
            "the local cloud cannot do the integrations of codebuild",
        ),
        (
            {
                "Type": "Map",
                "ToleratedFailurePercentage": 5,
                "ItemProcessor": {"StartAt": "Do", "States": {"Do": {"Type": "Pass", "End": True}}},
                "End": True,
            },
            "the local cloud cannot tolerate failed items of a Map",
        ),
    ],
)
def test_what_the_interpreter_cannot_do_is_refused_by_name(
    client: Callable[[str], Any], state: dict[str, Any], refusal: str
) -> None:
    """A definition with it is not deployed."""
    definition = {"StartAt": "It", "States": {"It": state}}
    with pytest.raises(ClientError, match=refusal):
        client("stepfunctions").create_state_machine(
            name="refused", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/r"
        )

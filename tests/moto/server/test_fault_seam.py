"""Faults of the local cloud's server: which request is which, and what clients and functions meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from asof.errors import LocalCloudError
from asof.local.server import LocalServer
from tests.support.stacks import deployed, function, role, template

SOURCE = """
import boto3
from botocore.config import Config
counts = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

def handle(event, context):
    counts.update_item(TableName="calls", Key={"k": {"S": event["key"]}}, UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}})
    return "done"
"""
CALLS: dict[str, Callable[[Any], Any]] = {
    "s3 ListObjectsV2": lambda client: client.list_objects_v2(Bucket="seam"),
    "s3 PutObject": lambda client: client.put_object(Bucket="seam", Key="a/b", Body=b"x"),
    "s3 GetObject": lambda client: client.get_object(Bucket="seam", Key="a/b"),
    "s3 HeadObject": lambda client: client.head_object(Bucket="seam", Key="a/b"),
    "s3 DeleteObjects": lambda client: client.delete_objects(Bucket="seam", Delete={"Objects": [{"Key": "z"}]}),
    "s3 DeleteObject": lambda client: client.delete_object(Bucket="seam", Key="z"),
    "dynamodb GetItem": lambda client: client.get_item(TableName="calls", Key={"k": {"S": "a"}}),
    "sns ListTopics": lambda client: client.list_topics(),
    "sqs ListQueues": lambda client: client.list_queues(),
    "glue GetDatabases": lambda client: client.get_databases(),
    "athena ListWorkGroups": lambda client: client.list_work_groups(),
    "states ListStateMachines": lambda client: client.list_state_machines(),
    "lambda Invoke": lambda client: client.invoke(FunctionName="seam", Payload=b'{"key": "listed"}'),
}


@pytest.fixture(scope="module", autouse=True)
def parts(client: Callable[[str], Any]) -> None:
    """A function that writes to a table, and a bucket with an object."""
    table = {
        "TableName": "calls",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    }
    resources = {
        "Role": role(),
        "Function": function("seam", SOURCE, Timeout=30),
        "Calls": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "seam"}},
    }
    deployed(client("cloudformation"), "seam", template(resources))
    client("s3").put_object(Bucket="seam", Key="a/b", Body=b"x")


@pytest.fixture(autouse=True)
def no_faults(server: LocalServer) -> Iterator[None]:
    """Faults are forgotten after each test."""
    yield
    server.faults.clear()


@pytest.mark.parametrize("call", CALLS)
def test_a_request_is_known_by_service_and_operation(
    server: LocalServer, client: Callable[[str], Any], call: str
) -> None:
    """The chosen one is refused with its code, once; another operation of the service is not."""
    service, operation = call.split()
    made = client({"states": "stepfunctions"}.get(service, service))
    server.faults.error(service, "Another", "NotThis", status=503)
    server.faults.error(service, operation, "Refused", status=503)
    with pytest.raises(ClientError) as raised:
        CALLS[call](made)
    # An answer to HEAD has no body that could say more.
    assert raised.value.response["Error"]["Code"] == ("503" if operation == "HeadObject" else "Refused")
    assert server.faults.pending == 1
    CALLS[call](made)


def count(client: Callable[[str], Any], key: str) -> int:
    """How often the function has written for a key."""
    item = client("dynamodb").get_item(TableName="calls", Key={"k": {"S": key}}).get("Item", {"n": {"N": "0"}})
    return int(item["n"]["N"])


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
def test_a_function_runs_out_of_time_in_the_midst_of_a_call(
    server: LocalServer, client: Callable[[str], Any], when: Any, effects: int
) -> None:
    """Killed before the call takes effect or after; calls of others, in between, are answered."""
    server.faults.time_out("seam", "dynamodb", "UpdateItem", when=when)
    client("dynamodb").update_item(
        TableName="calls", Key={"k": {"S": "other"}}, AttributeUpdates={"n": {"Value": {"N": "1"}, "Action": "PUT"}}
    )
    invoked = client("lambda").invoke(FunctionName="seam", Payload=json.dumps({"key": when}).encode())
    answer = json.loads(invoked["Payload"].read())
    assert (invoked["FunctionError"], answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "Task timed out after 30.00 seconds" in answer["errorMessage"]
    assert (count(client, when), server.faults.pending) == (effects, 0)
    again = client("lambda").invoke(FunctionName="seam", Payload=json.dumps({"key": when}).encode())
    assert json.loads(again["Payload"].read()) == "done"
    assert count(client, when) == effects + 1


def test_a_lost_answer_is_a_server_error_after_the_effect(server: LocalServer, client: Callable[[str], Any]) -> None:
    """And only of the request that contains the text."""
    server.faults.lose_answer("dynamodb", "PutItem", containing="second")
    client("dynamodb").put_item(TableName="calls", Item={"k": {"S": "first"}, "n": {"N": "1"}})
    with pytest.raises(ClientError, match=r"500|InternalError"):
        client("dynamodb").put_item(TableName="calls", Item={"k": {"S": "second"}, "n": {"N": "1"}})
    assert (count(client, "first"), count(client, "second")) == (1, 1)


def test_some_keys_stay_unprocessed(server: LocalServer, client: Callable[[str], Any]) -> None:
    """As many are read as the fault lets through."""
    keys = [{"k": {"S": f"u{number}"}} for number in range(3)]
    for key in keys:
        client("dynamodb").put_item(TableName="calls", Item=key)
    server.faults.unprocessed_keys(2)
    found = client("dynamodb").batch_get_item(RequestItems={"calls": {"Keys": keys}})
    assert len(found["Responses"]["calls"]) == 2
    assert found["UnprocessedKeys"]["calls"]["Keys"] == keys[2:]


def test_what_does_not_run_cannot_run_out_of_time(server: LocalServer) -> None:
    """It is said by name."""
    with pytest.raises(LocalCloudError, match="no invocation of nobody"):
        server.faults.expire("nobody")

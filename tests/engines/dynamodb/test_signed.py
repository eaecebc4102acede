"""Calls signed by hand against a service that Amazon wrote: equal to boto3's, answers and refusals alike."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from asof.online.client import online_client
from asof.online.faults import error_code, is_retryable
from asof.online.signed import Credentials, ServiceError, SignedDynamoDB
from tests.support.dynamodb_local import REGION, create_table
from tests.support.online import TABLE

KEY = {"pk": {"S": 'a#\u00e9\u2028"\\'}, "sk": {"S": "v@v1"}}


@pytest.fixture
def dynamodb(connect: Callable[[], Any]) -> Any:
    """boto3's client, and a table with one item of every kind of attribute the product writes."""
    client = connect()
    create_table(client, TABLE)
    client.put_item(TableName=TABLE, Item={**KEY, "v": {"B": bytes(range(256))}, "e": {"N": "-12"}})
    return client


@pytest.fixture
def signed(dynamodb: Any) -> SignedDynamoDB:
    """The same, past boto3."""
    client = online_client(dynamodb)
    assert isinstance(client, SignedDynamoDB)
    return client


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what botocore adds."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "query": (
        "query",
        {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": KEY["pk"]},
            "ReturnConsumedCapacity": "TOTAL",
        },
    ),
    "batch": ("batch_get_item", {"RequestItems": {TABLE: {"Keys": [KEY], "ConsistentRead": True}}}),
    "batch with a projection": (
        "batch_get_item",
        {
            "RequestItems": {
                TABLE: {"Keys": [KEY], "ProjectionExpression": "#e", "ExpressionAttributeNames": {"#e": "e"}}
            }
        },
    ),
    "no table": ("query", {"TableName": "nothing", "KeyConditionExpression": "pk = :pk"}),
    "a key twice": ("batch_get_item", {"RequestItems": {TABLE: {"Keys": [KEY, KEY]}}}),
    "put": ("put_item", {"TableName": TABLE, "Item": {**KEY, "v": {"B": b"\x00\xff"}}, "ReturnValues": "ALL_OLD"}),
    "put that must be the first": (
        "put_item",
        {"TableName": TABLE, "Item": KEY, "ConditionExpression": "attribute_not_exists(pk)"},
    ),
    "put without a key": ("put_item", {"TableName": TABLE, "Item": {"v": {"B": b""}}}),
}


def outcome(client: Any, name: str) -> Any:
    """The answer, or how the refusal is judged."""
    operation, request = CALLS[name]
    try:
        return without_metadata(getattr(client, operation)(**request))
    except (ClientError, ServiceError) as error:
        status: Any = error.response["ResponseMetadata"]
        return error_code(error), status["HTTPStatusCode"], is_retryable(error)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "put"])
def test_it_answers_and_refuses_as_boto3_does(dynamodb: Any, signed: SignedDynamoDB, name: str) -> None:
    assert outcome(signed, name) == outcome(dynamodb, name)


def test_a_write_is_read_back_by_boto3(dynamodb: Any, signed: SignedDynamoDB) -> None:
    signed.put_item(**CALLS["put"][1])
    assert dynamodb.get_item(TableName=TABLE, Key=KEY)["Item"] == {**KEY, "v": {"B": b"\x00\xff"}}


def test_the_connection_is_kept_through_answers_and_refusals(signed: SignedDynamoDB) -> None:
    """One connection for everything, however the calls end."""
    with patch.object(socket, "create_connection", wraps=socket.create_connection) as opened:
        for _ in range(3):
            for name in CALLS:
                outcome(signed, name)
    assert opened.call_count == 1


def test_an_access_key_that_cannot_be_is_refused_for_good(endpoint: str) -> None:
    """As wrong credentials are by AWS; DynamoDB Local checks no signature, only that a key could be one."""
    wrong = Credentials("not-a-key", "secret")
    with closing(SignedDynamoDB(REGION, wrong, endpoint=endpoint)) as client:
        with pytest.raises(ServiceError, match="UnrecognizedClientException") as caught:
            client.query(TableName=TABLE)
        assert not is_retryable(caught.value)

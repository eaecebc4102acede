"""The online store's behaviour over boto3 and moto."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from asof.online.client import client_config
from tests.support.online import TABLE, Store, a_store
from tests.support.online_suite import FreshnessSuite, LookupSuite, ReadSuite, WriteSuite


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1", config=client_config())
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield a_store(client)


class TestWrites(WriteSuite):
    """Conditional writes."""


class TestReads(ReadSuite):
    """Reads."""


class TestFreshness(FreshnessSuite):
    """Watermarks."""


class TestLookups(LookupSuite):
    """Lookups."""

"""The online store's behaviour on DynamoDB Local: over boto3, and over what the product sends past it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asof.online.client import online_client
from asof.online.signed import SignedDynamoDB
from tests.support.dynamodb_local import create_table
from tests.support.online import TABLE, Store, a_store
from tests.support.online_suite import FreshnessSuite, LookupSuite, ReadSuite, WriteSuite


@pytest.fixture(params=["boto3", "signed"])
def dynamodb(connect: Callable[[], Any], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of a table of its own, which lives as long as the test."""
    made = connect()
    create_table(made, TABLE)
    client = made if request.param == "boto3" else online_client(made)
    assert isinstance(client, SignedDynamoDB) == (request.param == "signed")
    yield client
    made.close()


@pytest.fixture
def store(dynamodb: Any) -> Store:
    return a_store(dynamodb)


class TestWrites(WriteSuite):
    """Conditional writes."""


class TestReads(ReadSuite):
    """Reads."""


class TestFreshness(FreshnessSuite):
    """Watermarks."""


class TestLookups(LookupSuite):
    """Lookups."""

"""The online store's behaviour over the fake."""

from __future__ import annotations

import pytest

from tests.support.fake_dynamodb import FakeDynamoDB
from tests.support.online import Store, a_store
from tests.support.online_suite import FreshnessSuite, LookupSuite, ReadSuite, WriteSuite


@pytest.fixture
def store() -> Store:
    return a_store(FakeDynamoDB())


class TestWrites(WriteSuite):
    """Conditional writes."""


class TestReads(ReadSuite):
    """Reads."""


class TestFreshness(FreshnessSuite):
    """Watermarks."""


class TestLookups(LookupSuite):
    """Lookups."""

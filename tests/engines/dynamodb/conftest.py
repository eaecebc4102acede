"""One DynamoDB Local for all tests here; each test has tables of its own in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asof.online.client import client_config
from tests.support.asked_engines import ASKED
from tests.support.boto import one_loader
from tests.support.dynamodb_local import client, open_dynamodb

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where it listens; skips where it was not asked for."""
    if "dynamodb" not in ASKED:
        pytest.skip("DynamoDB Local is asked where ASOF_TEST_ENGINES names dynamodb (make test-engines)")
    with one_loader(), open_dynamodb() as address:
        yield address


@pytest.fixture
def access_key() -> str:
    """A key under which there are no tables yet."""
    return f"test{os.getpid()}n{next(_NUMBERS)}"


@pytest.fixture
def connect(endpoint: str, access_key: str) -> Callable[[], Any]:
    """Makes boto3's client for this test's tables, set up as the product does it, but patient: each runner has one."""
    return lambda: client(endpoint, client_config(connect_timeout_s=30, read_timeout_s=60), access_key)

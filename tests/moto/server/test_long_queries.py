"""A query that takes long does not hold up the call that started it; it is polled for, and can be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asof.local.athena.model import QueryRequest
from asof.local.server import LocalServer

PLACE = {"OutputLocation": "s3://long-queries/"}


@pytest.fixture
def gate(server: LocalServer, client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """No query ends before the gate is opened, and no call waits for it."""
    where = {"LocationConstraint": server.region}
    if not client("s3").list_buckets()["Buckets"]:
        client("s3").create_bucket(Bucket="long-queries", CreateBucketConfiguration=where)
    opened = threading.Event()

    def held(_request: QueryRequest, run: Callable[[], None]) -> None:
        opened.wait()
        run()

    monkeypatch.setattr("asof.local.athena.service.PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(server.assembly.athena.service(server.account, server.region), "hook", held)
    yield opened
    opened.set()
    assert server.assembly.activity.settle(60)


def started(client: Callable[[str], Any], sql: str) -> str:
    """The id of a query that has begun."""
    answer = client("athena").start_query_execution(QueryString=sql, ResultConfiguration=PLACE)
    return str(answer["QueryExecutionId"])


def state(client: Callable[[str], Any], query: str) -> str:
    """What Athena says of it."""
    return str(client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"])


def test_a_long_query_is_polled_for(server: LocalServer, client: Callable[[str], Any], gate: threading.Event) -> None:
    """Its call answers while it runs; time is not skipped before it has ended."""
    good, bad = started(client, "SELECT 1 AS one"), started(client, "SELECT nope")
    assert (state(client, good), state(client, bad)) == ("RUNNING", "RUNNING")
    assert not server.assembly.activity.settle(0)
    gate.set()
    assert server.assembly.activity.settle(60)
    assert (state(client, good), state(client, bad)) == ("SUCCEEDED", "FAILED")
    rows = client("athena").get_query_results(QueryExecutionId=good)["ResultSet"]["Rows"]
    assert rows[1]["Data"] == [{"VarCharValue": "1"}]


def test_a_cancelled_query_stays_so(server: LocalServer, client: Callable[[str], Any], gate: threading.Event) -> None:
    """Also when its work comes to its end afterwards."""
    query = started(client, "SELECT 1")
    client("athena").stop_query_execution(QueryExecutionId=query)
    gate.set()
    assert server.assembly.activity.settle(60)
    assert state(client, query) == "CANCELLED"

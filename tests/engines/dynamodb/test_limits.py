"""DynamoDB's limits where they are real: sizes of items and answers, pages, conditions under many writers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from asof.errors import ItemTooLargeError
from asof.manifest import Feature
from asof.online.client import online_client
from asof.online.layout import MAX_ITEM_BYTES, ItemLayout, OnlineRow, item_bytes
from asof.online.reader import OnlineReader
from asof.online.retry import RetryPolicy
from asof.online.writer import OnlineWriter
from asof.references import resolve
from tests.support.dynamodb_local import create_table
from tests.support.online import AIRPORT, MANIFEST, NOW, TABLE, WEATHER, weather

PATIENT = RetryPolicy(deadline_ms=60_000)
BLOB = replace(WEATHER, name="blob", features=(Feature("sky", "String"),), ttl_ms=None)
BLOBS = replace(MANIFEST, feature_views=(BLOB,))


@pytest.fixture
def dynamodb(connect: Callable[[], Any]) -> Any:
    """boto3's client, and an empty table."""
    client = connect()
    create_table(client, TABLE)
    return client


@pytest.fixture(params=["boto3", "signed"])
def client(dynamodb: Any, request: pytest.FixtureRequest) -> Any:
    """What the product reads and writes through."""
    return dynamodb if request.param == "boto3" else online_client(dynamodb)


def a_blob(name: str, size: int) -> OnlineRow:
    """A row of so many bytes of text."""
    return OnlineRow((name,), NOW, None, ("x" * size,))


def test_the_largest_item_that_the_layout_lets_through_is_taken(client: Any) -> None:
    """One byte more and the layout refuses it; DynamoDB itself, which counts numbers exactly, has a few to spare."""
    empty = item_bytes(ItemLayout(BLOB, AIRPORT).item(a_blob("JFK", 0)))
    largest = a_blob("JFK", MAX_ITEM_BYTES - empty)
    writer = OnlineWriter(client, TABLE, retry=PATIENT)
    assert writer.write(BLOB, AIRPORT, [largest]).written == 1
    reader = OnlineReader(client, TABLE, retry=PATIENT)
    (answer,) = reader.read(resolve(BLOBS, "blob").views, [{"origin": "JFK"}])
    assert answer.rows[0].values == largest.values
    with pytest.raises(ItemTooLargeError):
        writer.write(BLOB, AIRPORT, [a_blob("JFK", MAX_ITEM_BYTES - empty + 1)])


def test_the_layout_never_counts_less_than_dynamodb(dynamodb: Any) -> None:
    """In write units, which are what one pays."""
    layout = ItemLayout(WEATHER, AIRPORT)
    for size in (*range(900, 960, 7), *range(1_920, 1_990, 7), 5_000):
        item = layout.item(OnlineRow(("JFK",), NOW, None, (1.0, "é" * (size // 2))))
        answer = dynamodb.put_item(TableName=TABLE, Item=item, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"]["CapacityUnits"] <= math.ceil(item_bytes(item) / 1024)


def test_an_answer_of_more_than_16_megabytes_comes_in_parts_and_is_whole(dynamodb: Any, client: Any) -> None:
    """What did not fit is left unprocessed by DynamoDB itself, and read again."""
    rows = [a_blob(f"A{i}", 390_000 + i) for i in range(60)]
    OnlineWriter(dynamodb, TABLE, retry=PATIENT).write(BLOB, AIRPORT, rows)
    keys = [{"pk": {"S": f"airport#s:A{i}"}, "sk": {"S": "blob@v2"}} for i in range(60)]
    assert client.batch_get_item(RequestItems={TABLE: {"Keys": keys}})["UnprocessedKeys"][TABLE]["Keys"]
    reader = OnlineReader(client, TABLE, retry=PATIENT)
    (answer,) = reader.read(resolve(BLOBS, "blob").views, [{"origin": f"A{i}"} for i in range(62)])
    assert [row.values for row in answer.rows] == [row.values for row in rows] + [(None,)] * 2
    assert [str(row.statuses[0]) for row in answer.rows[60:]] == ["NOT_FOUND"] * 2


def test_a_query_of_more_than_a_megabyte_comes_in_pages_and_is_whole(dynamodb: Any, client: Any) -> None:
    """Also where a large neighbour lies between that nobody asked for."""
    views = [replace(BLOB, name=f"blob{i}", features=(Feature(f"sky{i}", "String"),)) for i in range(6)]
    manifest = replace(MANIFEST, feature_views=tuple(views))
    writer = OnlineWriter(dynamodb, TABLE, retry=PATIENT)
    for i, view in enumerate(views):
        writer.write(view, AIRPORT, [a_blob("JFK", 380_000 + i)])
    asked = [f"blob{i}" for i in (0, 2, 3, 5)]
    answers = OnlineReader(client, TABLE, retry=PATIENT).read(resolve(manifest, asked).views, [{"origin": "JFK"}])
    assert [len(answer.rows[0].values[0]) for answer in answers] == [380_000 + i for i in (0, 2, 3, 5)]


def test_many_writers_of_one_item_race_and_the_newest_stays(connect: Callable[[], Any], dynamodb: Any) -> None:
    """Eight clients, each with every version in an order of its own: one write wins per step, the newest at the end."""
    versions = [weather("JFK", float(i), age_ms=1_000 - i, created_ms=NOW) for i in range(40)]
    barrier = threading.Barrier(8)
    written = []

    def work(number: int) -> None:
        writer = OnlineWriter(online_client(connect()), TABLE, retry=PATIENT, workers=2)
        order = versions[number * 5 :] + versions[: number * 5]
        barrier.wait()
        written.append(writer.write(WEATHER, AIRPORT, order if number % 2 else order[::-1]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (answer,) = OnlineReader(dynamodb, TABLE, retry=PATIENT, consistent=True).read(
        resolve(MANIFEST, "weather:wind").views, [{"origin": "JFK"}], NOW
    )
    assert answer.rows[0].values == (39.0,)
    assert [counts.total for counts in written] == [40] * 8
    # A version wins at most once over all writers, since equal is a no-op.
    assert 1 <= sum(counts.written for counts in written) <= 40


def test_an_item_that_expired_is_still_judged_by_its_own_time(dynamodb: Any, client: Any) -> None:
    """DynamoDB deletes what expired some time later, or never; until then a reader sees it and says so."""
    ttl = {"Enabled": True, "AttributeName": "x"}
    dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=ttl)
    OnlineWriter(client, TABLE, retry=PATIENT).write(WEATHER, AIRPORT, [weather("JFK", 1.0, age_ms=3_600_001)])
    views = resolve(MANIFEST, "weather:wind").views
    (answer,) = OnlineReader(client, TABLE, retry=PATIENT).read(views, [{"origin": "JFK"}], NOW)
    assert (answer.rows[0].values, str(answer.rows[0].statuses[0])) in [
        ((-1.0,), "OUTSIDE_MAX_AGE"),
        ((-1.0,), "NOT_FOUND"),
    ]


def test_provisioned_capacity_is_not_enforced_here(dynamodb: Any) -> None:
    """DynamoDB Local throttles nothing, so throttling is injected instead; this says when that has changed."""
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    create_table(dynamodb, "provisioned", BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
    for i in range(10):
        item = {"pk": {"S": str(i)}, "sk": {"S": "a"}, "v": {"B": b"x" * 100_000}}
        dynamodb.put_item(TableName="provisioned", Item=item)

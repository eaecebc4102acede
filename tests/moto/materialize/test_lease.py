"""The lease and the ledger: one run per view, fenced, over DynamoDB's own conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from asof.clock import ManualClock
from asof.errors import LeaseHeldError, LeaseLostError
from asof.keys import WATERMARK_KEY
from asof.materialize.lease import LEASE_MS, acquire
from asof.materialize.ledger import ChunkRecord, Ledger, LedgerReader, RunRecord, Watermark
from asof.materialize.stages import Chunk, Run

VIEW = "v@v1"
RUN = Run("v", 1, "20260101T000000-abc", "backfill", 0, 0, 20, (Chunk(0, 0, 10, 0), Chunk(1, 10, 20, 0)))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB with the control and the online table."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-central-1")
        for table in ("control", "online"):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            )
        yield dynamodb


def test_only_one_of_two_gets_the_lease(client: Any) -> None:
    """The second is told who is at work and until when."""
    clock = ManualClock(1_000)
    acquire(client, "control", VIEW, "first", clock)
    with pytest.raises(LeaseHeldError, match="first is at work and holds the lease until"):
        acquire(client, "control", VIEW, "second", clock)


def test_a_released_or_expired_lease_is_free_and_tokens_grow(client: Any) -> None:
    """Each holder's token is greater than those before."""
    clock = ManualClock(1_000)
    first = acquire(client, "control", VIEW, "first", clock)
    first.release()
    second = acquire(client, "control", VIEW, "second", clock)
    clock.set(1_000 + LEASE_MS)
    third = acquire(client, "control", VIEW, "third", clock)
    assert first.token < second.token < third.token


def test_renewing_keeps_others_out(client: Any) -> None:
    """A lease lasts from its last renewal."""
    clock = ManualClock(0)
    lease = acquire(client, "control", VIEW, "first", clock)
    clock.set(LEASE_MS - 1)
    lease.renew()
    clock.set(LEASE_MS + 1)
    with pytest.raises(LeaseHeldError):
        acquire(client, "control", VIEW, "second", clock)


def test_a_run_that_lost_its_lease_records_nothing_and_releases_nobody_elses(client: Any) -> None:
    """The sleeper wakes up, is told, and changes nothing."""
    clock = ManualClock(0)
    sleeper = acquire(client, "control", VIEW, "sleeper", clock)
    clock.set(LEASE_MS + 1)
    acquire(client, "control", VIEW, "other", clock)
    with pytest.raises(LeaseLostError):
        Ledger(sleeper, "online").record_chunk(RUN, RUN.chunks[0], ChunkRecord("checked", "a", 0))
    with pytest.raises(LeaseLostError):
        Ledger(sleeper, "online").publish(RunRecord(RUN, "published", 0), Watermark(0, 10))
    sleeper.release()
    reader = LedgerReader(client, "control")
    assert reader.chunks(VIEW, RUN.run_id) == {}
    assert reader.watermark(VIEW) is None
    with pytest.raises(LeaseHeldError):
        acquire(client, "control", VIEW, "third", clock)


def test_a_lease_that_was_given_back_cannot_be_renewed(client: Any) -> None:
    """A task that outlives its run must not keep the next one out; giving it back twice changes nothing."""
    clock = ManualClock(1_000)
    lease = acquire(client, "control", VIEW, "first", clock)
    lease.release()
    lease.release()
    with pytest.raises(LeaseLostError):
        lease.renew()
    assert acquire(client, "control", VIEW, "second", clock).token == lease.token + 2


def test_what_is_recorded_is_read_back_whole(client: Any) -> None:
    """Runs, chunks and watermarks round-trip; publishing tells lookups, too."""
    lease = acquire(client, "control", VIEW, "first", ManualClock(0))
    ledger, reader = Ledger(lease, "online"), LedgerReader(client, "control")
    record = RunRecord(RUN, "open", 5)
    chunk = ChunkRecord("checked", "a", 7, {"2026-01-01": "s3://b/p/"}, rows=3, quarantined=1, too_late=2)
    ledger.record_run(record)
    ledger.record_chunk(RUN, RUN.chunks[1], chunk)
    assert reader.runs(VIEW) == [record]
    assert reader.run(VIEW, RUN.run_id) == record
    assert reader.chunks(VIEW, RUN.run_id) == {1: chunk}
    closed = dataclasses.replace(record, state="published", ended_ms=9)
    ledger.publish(closed, Watermark(0, 15))
    assert reader.runs(VIEW) == [closed]
    assert reader.watermark(VIEW) == Watermark(0, 15)
    item = client.get_item(TableName="online", Key={"pk": {"S": WATERMARK_KEY}, "sk": {"S": VIEW}})["Item"]
    assert item["w"] == {"N": "15"}

"""Leases, fencing and transactions where conditions are atomic between threads: runners that race for real."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from asof.clock import ManualClock
from asof.errors import LeaseHeldError, LeaseLostError
from asof.keys import WATERMARK_KEY
from asof.materialize.lease import LEASE_MS, Lease, acquire
from asof.materialize.ledger import ChunkRecord, Ledger, LedgerReader, RunRecord, Watermark
from asof.materialize.stages import Chunk, Run
from tests.support.dynamodb_local import create_table

VIEW = "v@v1"
CHUNKS = tuple(Chunk(i, 10 * i, 10 * i + 10, 0) for i in range(24))
RUN = Run("v", 1, "20260101T000000-abc", "backfill", 0, 0, 240, CHUNKS)
RUNNERS = 8

Connect = Callable[[], Any]


@pytest.fixture
def dynamodb(connect: Connect) -> Any:
    """A client, with the control and the online table."""
    client = connect()
    for table in ("control", "online"):
        create_table(client, table)
    return client


def race(connect: Connect, work: Callable[[int, Any], Any]) -> list[Any]:
    """What each runner's work gave, all of them started at once and each with a client of its own."""
    barrier = threading.Barrier(RUNNERS)

    def run(number: int) -> Any:
        client = connect()
        barrier.wait()
        return work(number, client)

    with ThreadPoolExecutor(RUNNERS) as pool:
        return list(pool.map(run, range(RUNNERS)))


def attempt(clock: ManualClock, number: int, client: Any) -> Lease | None:
    """The lease, where this runner was the first."""
    try:
        return acquire(client, "control", VIEW, f"runner-{number}", clock)
    except LeaseHeldError:
        return None


def test_of_many_runners_one_gets_the_lease(connect: Connect, dynamodb: Any) -> None:
    """Over several rounds, in each of which the lease was let go or ran out; tokens only grow."""
    assert dynamodb
    tokens = []
    for number in range(6):
        leases = race(connect, partial(attempt, ManualClock(number * (LEASE_MS + 1))))
        (lease,) = [each for each in leases if each is not None]
        tokens.append(lease.token)
        if number % 2:
            lease.release()
    assert tokens == sorted(set(tokens))


def test_two_holders_never_both_record(connect: Connect, dynamodb: Any) -> None:
    """A sleeper whose lease was taken over and the new holder write as fast as they can; only the holder's stays."""
    sleeper = acquire(dynamodb, "control", VIEW, "sleeper", ManualClock(0))
    holder = acquire(connect(), "control", VIEW, "holder", ManualClock(LEASE_MS + 1))

    def work(number: int, client: Any) -> int:
        lease = sleeper if number % 2 else holder
        own = Lease(client, "control", VIEW, lease.owner, lease.token, lease.clock)
        recorded = 0
        for chunk in CHUNKS[number::RUNNERS]:
            try:
                Ledger(own, "online").record_chunk(RUN, chunk, ChunkRecord("checked", lease.owner, 0))
                recorded += 1
            except LeaseLostError:
                continue
        return recorded

    recorded = race(connect, work)
    assert [count for number, count in enumerate(recorded) if number % 2] == [0] * (RUNNERS // 2)
    chunks = LedgerReader(dynamodb, "control").chunks(VIEW, RUN.run_id)
    assert {record.attempt for record in chunks.values()} == {"holder"}
    assert len(chunks) == sum(recorded) == len(CHUNKS) // 2


def test_the_chunks_of_one_run_recorded_side_by_side_all_arrive(connect: Connect, dynamodb: Any) -> None:
    """Each transaction renews the same lease item, so they conflict; conflicts are waited out, none is lost."""
    lease = acquire(dynamodb, "control", VIEW, "runner", ManualClock(0))

    def work(number: int, client: Any) -> None:
        own = Lease(client, "control", VIEW, lease.owner, lease.token, lease.clock)
        for chunk in CHUNKS[number::RUNNERS]:
            Ledger(own, "online").record_chunk(RUN, chunk, ChunkRecord("committed", f"a{chunk.index}", 0))

    race(connect, work)
    chunks = LedgerReader(dynamodb, "control").chunks(VIEW, RUN.run_id)
    assert {index: record.attempt for index, record in chunks.items()} == {i: f"a{i}" for i in range(len(CHUNKS))}


def test_a_publication_is_seen_whole_or_not_at_all(connect: Connect, dynamodb: Any) -> None:
    """Readers that look all the while never see a watermark without its run, in either table."""
    lease = acquire(dynamodb, "control", VIEW, "runner", ManualClock(0))
    last = 30
    done = threading.Event()

    def publish(client: Any) -> list[str]:
        own = Lease(client, "control", VIEW, lease.owner, lease.token, lease.clock)
        for at in range(1, last + 1):
            Ledger(own, "online").publish(RunRecord(RUN, "published", at), Watermark(0, at))
        done.set()
        return []

    def look(client: Any) -> list[str]:
        problems = []
        keys = [("control", VIEW, f"run#{RUN.run_id}"), ("control", VIEW, "watermark"), ("online", WATERMARK_KEY, VIEW)]
        gets = [{"Get": {"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for table, pk, sk in keys]
        while not done.is_set():
            try:
                answers = client.transact_get_items(TransactItems=gets)["Responses"]
            except client.exceptions.TransactionCanceledException:
                continue  # met a publication under way
            items = [answer.get("Item") for answer in answers]
            if any(items):
                run, watermark, online = items
                seen = {_body(run, "started_ms"), _body(watermark, "through_ms"), online and int(online["w"]["N"])}
                problems += [str(items)] if len(seen) > 1 else []
        return problems

    problems = race(connect, lambda number, client: look(client) if number else publish(client))
    assert [each for found in problems for each in found] == []
    assert LedgerReader(dynamodb, "control").watermark(VIEW) == Watermark(0, last)


def _body(item: Any, name: str) -> Any:
    """A fact of an item of the ledger; None where there is no item."""
    return json.loads(item["body"]["S"])[name] if item else None

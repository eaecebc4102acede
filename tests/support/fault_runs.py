"""Runs of a deployed store that are disturbed on purpose, and what there must be afterwards, by plain loops."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from asof.clock import from_ms, grid_ceil, iso, to_ms
from asof.local.faults import Faults
from asof.local.server import LocalServer
from asof.local.services.scheduler import Scheduler
from asof.materialize.ledger import RunRecord
from asof.store import FeatureStore
from examples.flights.deployment import Deployment
from tests.support.small_store import BUCKET, NOW_MS, ORIGINS, tables

VIEW: Final = "airport_departures"
WEATHER: Final = "airport_weather"
REFERENCE: Final = "airport_departures@v1"
HOUR: Final = timedelta(hours=1)
FIRST: Final = from_ms(NOW_MS).replace(minute=0) - 44 * HOUR
FEATURES: Final = ("count_3h", "dep_delay_mean_3h", "dep_delay_mean_24h")
Row = tuple[Any, ...]


@dataclass
class Runs:
    """Runs of one view, hour by hour. ``through`` is the last grid time that should be published."""

    server: LocalServer
    deployment: Deployment
    through: datetime = FIRST
    heard: str = ""
    _client: dict[str, Any] = field(default_factory=dict)
    _store: FeatureStore | None = None

    def client(self, service: str) -> Any:
        """A client of boto3's, made once."""
        if service not in self._client:
            self._client[service] = self.deployment.client(service)
        return self._client[service]

    @property
    def faults(self) -> Faults:
        """What makes the local cloud fail."""
        return self.server.faults

    @property
    def store(self) -> FeatureStore:
        """The deployed store as a user's program opens it."""
        if self._store is None:
            name, session = self.deployment.environment.name, boto3.Session(region_name=self.server.region)
            self._store = FeatureStore.from_environment(name, session=session, clock=self.server.assembly.clock)
        return self._store

    def begin(self) -> None:
        """The first hour, undisturbed. Schedules sleep, so that every run is a test's own; a queue hears the topic.

        Athena writes several files at once, so that a load has several objects.
        """
        self.server.assembly.athena._writers = 2
        sns, sqs, named = self.client("sns"), self.client("sqs"), self.deployment.environment.named
        for each in self.client("scheduler").list_schedules()["Schedules"]:
            self.schedule(each["Name"], "DISABLED")
        self.heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=self.heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = next(
            each["TopicArn"] for each in sns.list_topics()["Topics"] if each["TopicArn"].endswith(named("alarms"))
        )
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        assert self.ended(self.start({**self.next(), "chunk": "31d"}))["status"] == "SUCCEEDED"
        self.check()

    def schedule(self, name: str, state: str) -> None:
        """Let a schedule sleep or wake."""
        scheduler = self.client("scheduler")
        known = scheduler.get_schedule(Name=name)
        kept = {each: known[each] for each in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**kept, ScheduleExpressionTimezone="UTC", State=state)

    def fire(self, view: str) -> str:
        """Let the schedule of a view fire now as it does at the hour; the execution it started, if it could."""
        known = self._materializations()
        name, now_ms = self.deployment.environment.schedule(view, 1), self.server.now_ms()
        self.schedule(name, "ENABLED")
        hour_ms = HOUR // timedelta(milliseconds=1)
        for source in self.server.assembly.timeline._sources:
            if isinstance(source, Scheduler):
                source.fire(grid_ceil(now_ms, hour_ms))
        self.schedule(name, "DISABLED")
        return next(iter(self._materializations() - known), "")

    def _materializations(self) -> set[str]:
        where = self.deployment.environment
        arn = f"arn:aws:states:{where.region}:{where.account}:stateMachine:{where.named('materialize')}"
        pages = self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=arn)
        return {each["executionArn"] for page in pages for each in page["executions"]}

    def hour(self, number: int) -> str:
        """An instant so many hours after the small store's present."""
        return iso(to_ms(from_ms(NOW_MS).replace(minute=0) + number * HOUR))

    def next(self, hours: int = 1) -> dict[str, Any]:
        """What to ask for next: the hours after those asked for before, each in a chunk of its own."""
        start = self.through + HOUR
        self.through += hours * HOUR
        end = iso(to_ms(self.through + HOUR))
        return {"view": VIEW, "kind": "materialize", "start": iso(to_ms(start)), "end": end, "chunk": "1h"}

    def start(self, request: dict[str, Any], machine: str = "materialize") -> str:
        """Start an execution; its ARN."""
        where = self.deployment.environment
        arn = f"arn:aws:states:{where.region}:{where.account}:stateMachine:{where.named(machine)}"
        started = self.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(request))
        return str(started["executionArn"])

    def redrive(self, arn: str) -> None:
        """Redrive an execution."""
        self.client("stepfunctions").redrive_execution(executionArn=arn)

    def described(self, arn: str) -> dict[str, Any]:
        """How an execution stands."""
        found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
        return found

    def stopped(self, arn: str) -> None:
        """Wait until an execution is aborted; what it had at work may still be."""
        deadline = time.monotonic() + 120
        while (found := self.described(arn))["status"] == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (found["status"], self.faults.pending) == ("ABORTED", 0), found

    def ended(self, arn: str) -> dict[str, Any]:
        """How an execution ended; waits for retries pass as fast as the work they wait for."""
        for _ in range(400):
            found = self.described(arn)
            if found["status"] != "RUNNING":
                assert self.server.advance(1)  # nothing is at work any more, also of what was given up
                return found
            self.server.advance("15s")
        raise AssertionError(f"{arn} does not end")

    def runs(self) -> list[RunRecord]:
        """The ledger's runs of the view, oldest first."""
        return self.store.runs(VIEW)

    def history(self) -> list[Row]:
        """What training sets can see, in order."""
        sql = f"SELECT origin, event_timestamp, {', '.join(FEATURES)} FROM airport_departures_v1"
        rows: list[Any] = self.store.services.athena.rows(sql, "test")  # of types that the query says
        return sorted((row["origin"], _utc(row["event_timestamp"]), *(row[each] for each in FEATURES)) for row in rows)

    def served(self) -> dict[str, Row]:
        """What lookups answer over HTTP, per origin; None for one that is not found."""
        answer = self.deployment.post(
            "/get-online-features",
            {"features": [f"{VIEW}:{each}" for each in FEATURES], "entities": {"origin": list(ORIGINS)}},
        )
        columns = answer["results"][1:]
        assert {status for column in columns for status in column["statuses"]} <= {"PRESENT", "NULL_VALUE"}, answer
        return {origin: tuple(column["values"][i] for column in columns) for i, origin in enumerate(ORIGINS)}

    def lease(self) -> int:
        """Until when the view's lease is held, in ms; 0 where it is free."""
        key = {"pk": {"S": REFERENCE}, "sk": {"S": "lease"}}
        table = self.deployment.environment.control_table
        return int(self.client("dynamodb").get_item(TableName=table, Key=key)["Item"]["expires"]["N"])

    def check(self) -> None:
        """Everything is as though nobody had disturbed anything."""
        self.check_unchanged(self.through)
        assert {(record.state, record.error) for record in self.runs()} == {("published", "")}

    def check_unchanged(self, through: datetime) -> None:
        """What users see is what there was after the grid time ``through``, and anybody could begin a run."""
        mark = self.store.watermark(VIEW)
        assert mark is not None
        assert from_ms(mark.through_ms) == through
        assert self.history() == expected_history(through)
        assert self.served() == {origin: features(origin, through) for origin in ORIGINS}
        assert self.lease() == 0

    def queue(self, name: str) -> str:
        """The address of a queue."""
        return str(self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def received(self, url: str) -> list[dict[str, Any]]:
        """The messages of a queue, which are gone afterwards."""
        sqs, found = self.client("sqs"), list[dict[str, Any]]()
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while messages := sqs.receive_message(**asked).get("Messages", []):
            found += messages
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def told(self) -> list[str]:
        """What the topic was told since it was last asked: failed runs and alarms."""
        bodies = [json.loads(message["Body"]) for message in self.received(self.heard)]
        return [f"{body.get('Subject')}\n{body['Message']}" for body in bodies]

    def objects(self, prefix: str) -> list[str]:
        """The keys of the offline bucket under a prefix."""
        bucket = self.deployment.environment.offline_bucket
        return [
            each["Key"] for each in self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        ]

    @contextmanager
    def poison(self, columns: dict[str, list[Any]]) -> Iterator[None]:
        """Inside, a file of these rows lies beside the raw departures, on the day of the first."""
        day = columns["departed_at"][0].date().isoformat()
        key = f"nyc/departures/departed_on={day}/poison.parquet"
        times = pa.array(columns["departed_at"], pa.timestamp("ms"))
        origins = pa.array(columns["origin"], pa.string())
        buffer = io.BytesIO()
        pq.write_table(pa.table({**columns, "origin": origins, "departed_at": times}), buffer)
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue())
        try:
            yield
        finally:
            self.client("s3").delete_object(Bucket=BUCKET, Key=key)

    @contextmanager
    def failing_loudly(self) -> Iterator[list[str]]:
        """Inside, a run fails: the alarm of failed runs goes off, and clears later. Yields what people were told."""
        self.server.advance("7m")
        assert self.deployment.alarm("failed-runs") == "OK"
        self.told()
        messages = list[str]()
        yield messages
        self.server.advance("1m")
        assert self.deployment.alarm("failed-runs") == "ALARM"
        self.server.advance("7m")
        assert self.deployment.alarm("failed-runs") == "OK"


@dataclass
class Weather:
    """The other view of the store; it copies its source's rows, so they are its history."""

    of: Runs

    def lease_is_held(self) -> bool:
        """Whether a run is at work on it."""
        key = {"pk": {"S": f"{WEATHER}@v1"}, "sk": {"S": "lease"}}
        table = self.of.deployment.environment.control_table
        item = self.of.client("dynamodb").get_item(TableName=table, Key=key).get("Item")
        return item is not None and int(item["expires"]["N"]) > 0

    def runs(self) -> list[RunRecord]:
        """The ledger's runs of the view, oldest first."""
        return self.of.store.runs(WEATHER)

    def check(self) -> None:
        """Every observation of the published hours is there, once; nobody is at work, and nothing is left open."""
        mark = self.of.store.watermark(WEATHER)
        sql = "SELECT origin, event_timestamp, temp, gusts FROM airport_weather_v1"
        found: list[Any] = self.of.store.services.athena.rows(sql, "test")
        assert mark is not None
        first, last = from_ms(mark.first_ms) - HOUR, from_ms(mark.through_ms)
        names = ("origin", "observed_at", "temp", "gusts")
        raw = [tuple(row[each] for each in names) for row in tables()["weather"].to_pylist()]
        expected = [(o, _utc(at), *rest) for o, at, *rest in raw if first < _utc(at) <= last]
        rows = [(row["origin"], _utc(row["event_timestamp"]), row["temp"], row["gusts"]) for row in found]
        assert sorted(rows, key=str) == sorted(expected, key=str)
        assert {record.state for record in self.runs()} == {"published"}
        assert not self.lease_is_held()

    @contextmanager
    def without_table(self) -> Iterator[None]:
        """Inside, the source's table is gone from the catalog."""
        glue = self.of.client("glue")
        table = glue.get_table(DatabaseName="nyc", Name="weather")["Table"]
        glue.delete_table(DatabaseName="nyc", Name="weather")
        try:
            yield
        finally:
            known = ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
            glue.create_table(DatabaseName="nyc", TableInput={name: table[name] for name in known if name in table})

    @contextmanager
    def without_rows(self) -> Iterator[None]:
        """Inside, the source has no objects."""
        s3, key = self.of.client("s3"), "nyc/weather/part-0.parquet"
        content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        s3.delete_object(Bucket=BUCKET, Key=key)
        try:
            yield
        finally:
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)


def features(origin: str, at: datetime) -> Row:
    """The windows of an origin that end at a grid time, from the raw rows."""
    short, long = _delays(origin, at, 3), _delays(origin, at, 24)
    return (len(short), _mean(short), _mean(long))


def expected_history(through: datetime) -> list[Row]:
    """The rows of all grid times: one per origin wherever an event entered a window or left one.

    The first run begins a longest window earlier, so that its first answer is complete.
    """
    rows = []
    at = FIRST - 23 * HOUR
    while at <= through:
        changed = {o for o in ORIGINS if any(_delays(o, at - hours * HOUR, 1) for hours in (0, 3, 24))}
        rows += [(origin, at, *features(origin, at)) for origin in changed]
        at += HOUR
    return sorted(rows)


def _delays(origin: str, at: datetime, hours: int) -> list[float | None]:
    """The delays of the departures in ``(at - hours, at]``."""
    return [delay for who, when, delay in _raw() if who == origin and at - hours * HOUR < when <= at]


_RAW: list[tuple[str, datetime, float | None]] = []


def _raw() -> list[tuple[str, datetime, float | None]]:
    if not _RAW:
        rows = tables()["departures"].to_pylist()
        _RAW.extend((row["origin"], _utc(row["departed_at"]), row["dep_delay"]) for row in rows)
    return _RAW


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value

"""The Glue jobs on a real Spark over S3: they write what Athena in the local cloud writes, whenever they die."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asof.clock import DAY_MS, ManualClock, from_ms
from asof.errors import ManifestError, QueryError, RequestError
from asof.local.faults import CrashPlan, Killed
from asof.manifest import Aggregation, Column, Entity, Feature, FeatureView
from asof.materialize.compaction_record import compactions
from asof.materialize.lease import LEASE_MS
from asof.materialize.lifecycle import RunRequest
from asof.materialize.on_spark import on_spark
from asof.materialize.runner import Runner
from asof.materialize.services import Services
from asof.names import history_table, staging_table
from asof.offline.parquet import read_prefix
from asof.registry.publish import publish
from glue_jobs.backfill import backfill
from glue_jobs.compact import compact
from glue_jobs.export import Wanted, export
from tests.support.asked_engines import ASKED, sized
from tests.support.manifests import HOUR, MINUTE, a_passthrough_view, a_source
from tests.support.spark_world import ServedCloud, fresh, java_arguments, served_cloud
from tests.support.world import World, a_manifest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.skipif("spark" not in ASKED, reason="ASOF_TEST_ENGINES does not name spark")

ROOT = Path(__file__).parents[2]
START = 20_000 * DAY_MS
NOW = START + 2 * DAY_MS + HOUR
ENTITY = Entity("airport", (Column("origin", "String"),))
SOURCE = a_source(
    columns=(
        Column("origin", "String"),
        Column("delay", "Float64"),
        Column("seats", "Int64"),
        Column("kind", "String"),
    ),
    created_timestamp_column="known_at",
)
FUNCTIONS = (
    ("count", None), ("count", "delay"), ("sum", "seats"), ("sum", "delay"), ("mean", "seats"), ("min", "delay"),
    ("max", "delay"), ("last", "kind"), ("first", "delay"), ("count_distinct", "kind"), ("stddev", "seats"),
)  # fmt: skip
_TYPES = {"delay": "Float64", "seats": "Int64", "kind": "String", None: "Int64"}


def _dtype(function: str, column: str | None) -> str:
    if function in ("mean", "stddev"):
        return "Float64"
    return "Int64" if function.startswith("count") else _TYPES[column]


WINDOWS = FeatureView(
    "departures_seen",
    1,
    "airport",
    "departures",
    "aggregation",
    tuple(Feature(f"f{i}", _dtype(*each)) for i, each in enumerate(FUNCTIONS)),
    tuple(Aggregation(f"f{i}", function, column, (i % 3 + 1) * HOUR) for i, (function, column) in enumerate(FUNCTIONS)),
    where="kind IS NULL OR kind <> 'it''s \\ $x'",
    step_ms=HOUR,
)
COPIED = a_passthrough_view(
    features=(Feature("delay", "Float64"), Feature("seats", "Int64"), Feature("kind", "String")), ttl_ms=DAY_MS
)
VIEWS = [WINDOWS, COPIED]
ORIGINS = ["JFK", "L'GA", "é🛫", ""]
FEATURES = [f"{view.name}:{feature.name}" for view in VIEWS for feature in view.features]


def departures(count: int, from_ms: int = START) -> list[dict[str, Any]]:
    """Rows of nasty texts and doubles whose sums are exact, some known late, some without a key."""
    kinds = ["a", None, "it's \\ $x", "${y}", "`", "it''s", "\u0000", "é"]
    delays = [0.5, -1.25, None, float("nan"), float("inf"), -0.0, 3.0]
    return [
        {
            "origin": None if i % 37 == 0 else ORIGINS[i % len(ORIGINS)],
            "delay": delays[i % len(delays)],
            "seats": None if i % 5 == 0 else (i * 7919) % 211 - 100,
            "kind": kinds[i % len(kinds)],
            "departed_at": from_ms + i * 13 * MINUTE,
            "known_at": from_ms + i * 13 * MINUTE + (i % 4) * 20 * MINUTE,
        }
        for i in range(count)
    ]


@pytest.fixture(scope="session")
def spark(opened: Callable[[str], Any]) -> SparkSession:
    """The session of the behaviour suite."""
    session: SparkSession = opened("spark").spark
    return session


@pytest.fixture(scope="session")
def served(spark: SparkSession) -> Iterator[ServedCloud]:
    """A local cloud in a process of its own."""
    with served_cloud(spark) as running:
        yield running


@pytest.fixture
def cloud(served: ServedCloud) -> Iterator[ServedCloud]:
    """The local cloud for one test's world."""
    with fresh(served):
        yield served


def a_world(cloud: Any, rows: int = 200) -> World:
    """The two views over a source of that many rows, nothing materialized."""
    world = World(cloud, a_manifest(VIEWS, SOURCE, ENTITY), ManualClock(NOW))
    world.arrive(departures(rows))
    return world


REQUEST = RunRequest("backfill", START, NOW, chunk_ms=DAY_MS)


def history(world: World, view: FeatureView, *hidden: str) -> list[str]:
    """Everything visible but for who wrote it, as text that tells every value from every other."""
    hidden = ("run", *hidden)
    rows = [{name: one_zero(value) for name, value in row.items() if name not in hidden} for row in world.history(view)]
    return sorted(repr(row) for row in rows)


def one_zero(value: Any) -> Any:
    """The value, zero without its sign: DuckDB, which is Athena here, compares ROWs by keys that know one zero."""
    return 0.0 if isinstance(value, float) and value == 0 else value


def state(world: World, *hidden: str) -> dict[str, Any]:
    """Everything a user can see of the store."""
    database = world.store.services.environment.database
    staged = [
        world.glue.get_partitions(DatabaseName=database, TableName=staging_table(view.name, 1))["Partitions"]
        for view in VIEWS
    ]
    runs = [
        (record.state, record.rows, record.written, record.quarantined, record.too_late)
        for view in VIEWS
        for record in world.store.runs(view.name)
    ]
    return {
        "history": [history(world, view, *hidden) for view in VIEWS],
        "online": repr({name: [*map(one_zero, each)] for name, each in world.online(FEATURES, ORIGINS).items()}),
        "watermarks": [world.store.watermark(view.name) for view in VIEWS],
        "staged": staged,
        "runs": runs,
    }


def by_athena(world: World) -> None:
    """The backfill of both views in-process, as ``asof backfill`` does it."""
    for view in world.store.views():
        Runner(world.store.services, view).execute(REQUEST.planner(world.store.services, view))


def by_spark(world: World, spark: SparkSession, services: Services | None = None) -> None:
    """The same by the Glue job."""
    for view in VIEWS:
        backfill(services or world.store.services, spark, view.name, REQUEST, workers=2)


@pytest.fixture(scope="session")
def expected(served: ServedCloud) -> dict[str, Any]:
    """The state after the backfill by Athena."""
    with fresh(served) as cloud:
        world = a_world(cloud)
        by_athena(world)
        return state(world)


def test_a_backfill_on_spark_is_the_one_by_athena(
    spark: SparkSession, expected: dict[str, Any], cloud: ServedCloud
) -> None:
    """History to the last digit, lookups, watermark and counts; a repetition changes nothing, by whichever engine."""
    world = a_world(cloud)
    by_spark(world, spark)
    found = state(world)
    assert found == expected
    assert sum(map(len, found["history"])) > 200
    by_spark(world, spark)
    by_athena(world)
    again = state(world)
    assert {**again, "runs": []} == {**found, "runs": []}
    assert sum(rows for _, rows, *_ in again["runs"]) == sum(rows for _, rows, *_ in found["runs"])


@pytest.mark.parametrize("number", range(sized(2, 6)))
def test_a_backfill_killed_and_run_again_ends_the_same(
    spark: SparkSession, expected: dict[str, Any], cloud: ServedCloud, number: int
) -> None:
    """Killed before or after one of its calls that change something, wherever that is; Spark or Athena finishes."""
    world = a_world(cloud)
    plan = CrashPlan(kill_at=3 + 4 * number, when="after" if number % 2 else "before")
    with pytest.raises(Killed):
        by_spark(world, spark, world.another_process(plan).services)
    world.clock.set(NOW + LEASE_MS)
    by_spark(world, spark) if number % 3 else by_athena(world)
    # What was computed again has the times of the second run, where the first had not checked it.
    found = state(world, "created_timestamp")
    assert [_without_created(rows) for rows in found["history"]] == [_without_created(e) for e in expected["history"]]
    assert (found["online"], found["staged"]) == (expected["online"], expected["staged"])


def _without_created(rows: list[str]) -> list[str]:
    return sorted(re.sub(r"'created_timestamp': datetime\.datetime\([^)]*\), ", "", row) for row in rows)


def test_a_compaction_on_spark_changes_no_answer(spark: SparkSession, cloud: ServedCloud) -> None:
    """One partition and one object per date are left, with the rows of many; a kill in the middle loses nothing."""
    world = a_world(cloud)
    for hours in range(12, 49, 12):
        world.clock.set(START + hours * HOUR)
        world.store.materialize_incremental() if hours > 12 else by_athena(world)
    world.clock.set(NOW + DAY_MS)
    before, answered = state(world), _training(world)
    database, table = world.store.services.environment.database, history_table(WINDOWS.name, 1)

    def partitions() -> list[str]:
        found = world.glue.get_partitions(DatabaseName=database, TableName=table)["Partitions"]
        return sorted(each["Values"][0] for each in found)

    many = partitions()
    several = {date for date in many if many.count(date) > 1}
    assert several
    plan = CrashPlan(kill_at=5)  # between the registration of the new partitions and the dropping of the old
    with pytest.raises(Killed):
        compact(world.another_process(plan).services, spark, WINDOWS.name)
    assert partitions() == sorted([*many, *several])
    assert _training(world) == answered
    world.clock.set(NOW + DAY_MS + LEASE_MS)
    compact(world.store.services, spark, WINDOWS.name)
    assert partitions() == sorted({*many})
    assert (state(world), _training(world)) == (before, answered)
    assert compact(world.store.services, spark, WINDOWS.name) == []
    replaced = sum(each.partitions for each in compactions(world.store.services, WINDOWS))
    assert replaced == sum(date in several for date in many)


def _labels() -> pa.Table:
    rows = [(origin, START + i * 31 * MINUTE) for i in range(60) for origin in (*ORIGINS, "none", None)]
    # Of whole milliseconds: Athena rounds what is finer before a query can floor it.
    instants = pa.array([label for _, label in rows], pa.timestamp("ms"))
    columns = {"origin": [origin for origin, _ in rows], "event_timestamp": instants, "note": [*range(len(rows))]}
    return pa.table(columns)


def _training(world: World) -> str:
    job = world.store.get_historical_features(_labels(), FEATURES)
    return repr(job.to_arrow().sort_by("note").to_pylist())


def _put(world: World, table: pa.Table, key: str) -> str:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    world.s3.put_object(Bucket="raw-data", Key=f"{key}/rows.parquet", Body=buffer.getvalue())
    return f"s3://raw-data/{key}/"


def test_an_export_is_the_training_set_of_athena(spark: SparkSession, cloud: ServedCloud) -> None:
    """From S3 and from a query, by both rules, to the last digit; scratch is empty afterwards."""
    world = a_world(cloud)
    by_athena(world)
    labels = _put(world, _labels(), "labels")
    services = world.store.services
    query = "SELECT origin, departed_at AS event_timestamp, seats AS note FROM raw.departures WHERE seats > 50"
    asked = [
        Wanted(labels, FEATURES),
        Wanted(labels, FEATURES, as_of="event", full_feature_names=True),
        Wanted(labels, FEATURES, known_as_of=from_ms(START + DAY_MS)),
        Wanted(query, FEATURES[:3]),
    ]
    for number, wanted in enumerate(asked):
        target = f"s3://raw-data/out{number}/"
        dataset = export(services, spark, wanted, target)
        job = world.store.get_historical_features(
            wanted.entity_rows,
            list(wanted.features),
            as_of=wanted.as_of,
            known_as_of=wanted.known_as_of,
            full_feature_names=wanted.full_feature_names,
        )
        athena = job.to_s3(f"s3://raw-data/athena{number}/")
        found, right = (_rows(world, each.location) for each in (dataset, athena))
        assert (dataset.rows, len(found)) == (athena.rows, athena.rows)
        assert found == right, wanted
        assert dataset.features == athena.features
    listed = world.s3.list_objects_v2(Bucket=services.environment.offline_bucket, Prefix="scratch/")
    assert listed["KeyCount"] == 0


def _rows(world: World, location: str) -> list[str]:
    table: Any = read_prefix(world.s3, location)
    rows = table.to_pylist()
    plain = [
        {
            name: value.replace(tzinfo=None) if hasattr(value, "tzinfo") else one_zero(value)
            for name, value in row.items()
        }
        for row in rows
    ]
    return sorted(repr(sorted(row.items())) for row in plain)


def test_what_an_export_cannot_do_is_refused(spark: SparkSession, cloud: ServedCloud) -> None:
    """By name, and before anything is written."""
    world = a_world(cloud, rows=8)
    services = world.store.services
    _put(world, _labels(), "labels")
    _put(world, _labels(), "full")
    with pytest.raises(RequestError, match="is not empty"):
        export(services, spark, Wanted("s3://raw-data/labels/", FEATURES), "s3://raw-data/full/")
    with pytest.raises(QueryError, match="Spark says"):
        export(
            services,
            spark,
            Wanted("SELECT origin, departed_at FROM raw.departures WHERE f(1)", FEATURES),
            "s3://raw-data/x/",
        )
    with pytest.raises(QueryError, match="cannot be read from the Glue catalog"):
        export(services, spark, Wanted("SELECT * FROM raw.other", FEATURES), "s3://raw-data/x/")


def test_definitions_of_another_version_of_asof_are_refused(spark: SparkSession, cloud: ServedCloud) -> None:
    """Spark's text is rendered from the definitions, so these must be those of the manifest's own text."""
    world = a_world(cloud, rows=8)
    other = dataclasses.replace(WINDOWS, queries={**world.manifest.feature_views[0].queries, "latest": "SELECT 1"})
    with pytest.raises(ManifestError, match="another version of asof"):
        on_spark(world.store.services, other, spark)


def test_the_entries_run_as_glue_runs_them(cloud: ServedCloud) -> None:
    """Each in a process of its own, with Glue's arguments: backfill, compact, export."""
    world = a_world(cloud, rows=60)
    services = world.store.services
    publish(services.s3, services.environment, world.manifest, clock=services.clock)
    _put(world, _labels(), "labels")

    def run(job: str, **arguments: str) -> dict[str, Any]:
        environment = services.environment
        given = {"JOB_NAME": job, "environment": environment.name, "account": environment.account} | arguments
        listed = [text for name, value in given.items() for text in (f"--{name}", value)]
        done = subprocess.run(
            [sys.executable, "-m", f"glue_jobs.{job}", *listed, "--region", environment.region, "--TempDir", "s3://t/"],
            cwd=ROOT,
            env={**os.environ, **cloud.client_environment(), "PYSPARK_SUBMIT_ARGS": java_arguments(cloud.endpoint)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    ran = run("backfill", view=COPIED.name, start="2024-10-04", end=from_ms(NOW).isoformat(), chunk="1d")
    assert (ran["state"], ran["rows"] > 20) == ("published", True)
    assert len(history(world, COPIED)) == ran["rows"]
    assert run("compact", view=COPIED.name)["job"] == "compact"
    exported = run(
        "export", entity_rows="s3://raw-data/labels/", features=f"{COPIED.name}:delay", to="s3://raw-data/o/"
    )
    assert exported["rows"] == _labels().num_rows

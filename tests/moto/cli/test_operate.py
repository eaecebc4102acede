"""Plan, status, retire, rollback and the commands to look around, as a user runs them against the local cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from asof.cli import main
from asof.clock import SystemClock, from_ms, utc_date
from asof.local import LocalCloud
from asof.offline.tables import parquet_table
from tests.support.boto import one_loader

DEFINITIONS = '''
"""One airport view, what is made of it on demand, and a model."""

from asof.definitions import (
    Aggregation, BatchSource, Entity, FeatureService, FeatureView, Field, Float64, Int64, RequestSource, String,
    on_demand_feature_view,
)

airport = Entity(name="airport", join_keys={"origin": String})
departures = BatchSource(
    name="departures", table="raw.departures", timestamp_field="departed_at", date_partition_column="day",
    schema={"origin": String, "delay": Float64},
)


def departures_of(airport_version, window, **changes):
    return FeatureView(
        name="airport_departures", version=airport_version, entity=airport, source=departures, schedule="1h",
        aggregations=[Aggregation(function="count", time_window=window, name="departed")],
        **{"freshness": "2h", "owner": "flight-ops", **changes},
    )


airport_departures = departures_of(1, "3h")


@on_demand_feature_view(
    sources=[RequestSource(name="asked", schema=[Field(name="gates", dtype=Int64)]), airport_departures],
    schema=[Field(name="per_gate", dtype=Float64)],
)
def crowding(inputs):
    return {"per_gate": inputs["departed"] / inputs["gates"]}


model = FeatureService(name="model", features=[airport_departures, crowding])
'''

SECOND = DEFINITIONS.split("@on_demand", maxsplit=1)[0].replace(
    'departures_of(1, "3h")', 'departures_of(1, "3h", deprecated=True)\nnewer = departures_of(2, "6h")'
)
"""A second version, the first one deprecated and read by nobody any more."""


def asof(*arguments: str, code: int = 0) -> Result:
    """Run the command; its exit code must be ``code``."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def facts(*arguments: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    return json.loads(asof(*arguments, "--json", code=code).stdout)


class Definitions:
    """A folder of definitions that can be rewritten."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "airports.py"
        self.path = ("--path", str(folder))
        self.write(DEFINITIONS)

    def write(self, text: str) -> None:
        """Replace all definitions."""
        self._file.write_text(text)

    def apply(self, text: str) -> None:
        """Replace all definitions and publish them."""
        self.write(text)
        asof("apply", *self.path, "--env", "dev")


@pytest.fixture(autouse=True, scope="module")
def cheap_sessions() -> Iterator[None]:
    """Every command opens a session of its own."""
    with one_loader():
        yield


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    """The definitions above."""
    return Definitions(tmp_path / "feature_defs")


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A provisioned environment ``dev``, and a source of two days with four departures on the last one."""
    with LocalCloud() as cloud:
        cloud.provision(cloud.environment("dev"))
        session: Any = cloud.session()
        s3, glue = session.client("s3"), session.client("glue")
        s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        glue.create_database(DatabaseInput={"Name": "raw"})
        columns = [("origin", "string"), ("delay", "double"), ("departed_at", "timestamp")]
        keys = [("day", "string")]
        table = parquet_table("departures", columns, "s3://raw/departures/", partition_keys=keys)
        glue.create_table(DatabaseName="raw", TableInput=table)
        now_ms = SystemClock().now_ms()
        for age_ms, rows in ((90 * 60_000, 4), (40 * 86_400_000, 3)):
            moment = from_ms(now_ms - age_ms)
            day = utc_date(now_ms - age_ms)
            location = f"s3://raw/departures/day={day}/"
            storage = {**table["StorageDescriptor"], "Location": location}
            glue.create_partition(
                DatabaseName="raw",
                TableName="departures",
                PartitionInput={"Values": [day], "StorageDescriptor": storage},
            )
            times = [moment.replace(tzinfo=None) + timedelta(seconds=i % 2) for i in range(rows)]
            data = pa.table(
                {
                    "origin": ["JFK", "LGA", "EWR", "JFK"][:rows],
                    "delay": [1.0] * rows,
                    "departed_at": pa.array(times, pa.timestamp("ms")),
                }
            )
            sink = pa.BufferOutputStream()
            pq.write_table(data, sink)
            s3.put_object(Bucket="raw", Key=f"departures/day={day}/0.parquet", Body=sink.getvalue().to_pybytes())
        yield cloud


def test_a_first_plan_says_what_everything_costs(cloud: LocalCloud, definitions: Definitions) -> None:
    """Of the view: who reads it, the stages of its first run, and an estimate from what lies in its source."""
    del cloud
    start = from_ms(SystemClock().now_ms() - 2 * 86_400_000).isoformat()
    told = asof("plan", *definitions.path, "--env", "dev", "--start", start).output
    assert "+ airport_departures@v1  new feature view; read by crowding@v1, model@v1" in told
    assert "[ ] compute" in told
    assert "[ ] load" in told
    assert "$5 per TB" in told
    found = facts("plan", *definitions.path, "--env", "dev", "--start", start)
    assert (found["verdict"], found["deployed"]) == ("changes", None)
    (backfill,) = found["backfills"]
    cost = backfill["estimate"]
    assert (cost["source_objects"], cost["source_rows"], cost["queries"]) == (2, 7, 4)
    assert 0 < cost["rows"] < 14  # two per event, and the older day is out of reach
    assert cost["athena_dollars"] == pytest.approx(4 * 5e-5)
    assert facts("plan", *definitions.path, "--env", "dev", "--no-estimate")["backfills"][0]["estimate"] is None


def test_a_plan_never_writes_and_its_exit_code_is_for_ci(cloud: LocalCloud, definitions: Definitions) -> None:
    """0 or 4 for changes, 0 for none, 1 for what would be refused."""
    plan = ("plan", *definitions.path, "--env", "dev", "--no-estimate")
    asof(*plan)
    asof(*plan, "--exit-code", code=4)
    s3 = cloud.session().client("s3")
    assert "Contents" not in s3.list_objects_v2(Bucket=cloud.environment("dev").registry_bucket)
    asof("apply", *definitions.path, "--env", "dev")
    assert "no changes" in asof(*plan, "--exit-code").output
    definitions.write(DEFINITIONS.replace('"flight-ops"', '"others"'))
    assert "owner: flight-ops -> others" in asof(*plan, "--exit-code", code=4).output
    definitions.write(DEFINITIONS.replace('(1, "3h")', '(1, "4h")'))
    refused = asof(*plan, code=1).output
    assert "aggregations[0].window_ms: 3h -> 4h" in refused
    assert "airport_departures@v1 is published, and its meaning would change" in refused
    assert facts(*plan, code=1)["verdict"] == "refused"


def test_a_plan_remembers_what_is_not_in_force_any_more(cloud: LocalCloud, definitions: Definitions) -> None:
    """A removed version may come back as it was, and not as something else."""
    del cloud
    plan = ("plan", *definitions.path, "--env", "dev", "--no-estimate")
    definitions.apply(SECOND)
    definitions.apply(SECOND.replace('\nnewer = departures_of(2, "6h")', ""))
    definitions.write(SECOND)
    assert "+ airport_departures@v2  comes back" in asof(*plan).output
    definitions.write(SECOND.replace('"6h"', '"5h"'))
    told = asof(*plan, code=1).output
    assert "airport_departures@v2 was published before with another meaning" in told


def test_two_manifests_are_compared_without_aws(definitions: Definitions, tmp_path: Path) -> None:
    """The deployed side is a file; neither credentials nor a local cloud are there."""
    deployed = tmp_path / "deployed.json"
    asof("compile", *definitions.path, "-o", str(deployed))
    plan = ("plan", *definitions.path, "--manifest", str(deployed))
    assert "no changes" in asof(*plan, "--exit-code").output
    definitions.write(SECOND)
    told = asof(*plan, "--exit-code", code=4).output
    assert "- crowding@v1  on-demand view removed, until now; read by model@v1" in told
    assert "> airport_departures  a request without a version reads airport_departures@v2" in told
    deployed.write_text('{"format": 99}')
    assert "format 99" in asof(*plan, code=1).stderr
    assert "--manifest" in asof("plan", *definitions.path, code=2).stderr


def test_an_environment_that_is_not_deployed_yet_gets_a_plan(cloud: LocalCloud, definitions: Definitions) -> None:
    """A pipeline plans before it deploys for the first time; a mistyped name can be seen."""
    del cloud
    made = asof("plan", *definitions.path, "--env", "nowhere", "--exit-code", code=4)
    assert "nowhere is not deployed" in made.stderr
    assert "new feature view" in made.stdout


def test_a_version_is_retired_when_nobody_reads_it_any_more(cloud: LocalCloud, definitions: Definitions) -> None:
    """Refused while it is read; then its items go, and nobody brings it back."""
    definitions.apply(DEFINITIONS)
    asof("materialize-incremental", "--env", "dev")
    old = "airport_departures@v1"
    before = facts("status", "--count", "--env", "dev")[0]
    assert (before["state"], before["online rows"], before["items written"]) == ("fresh", 3, 3)
    assert before["next run"] > before["through"]

    assert "crowding@v1, model@v1 still read it" in asof("retire", old, "--yes", "--env", "dev", code=1).stderr
    definitions.apply(SECOND)
    asof("retire", old, "--env", "dev", code=1)  # nobody says yes
    told = asof("retire", old, "--yes", "--env", "dev").output
    assert "3 items deleted" in told
    assert "s3://asof-dev-offline-123456789012-eu-central-1/history/airport_departures_v1/" in told
    after = {row["view"]: row for row in facts("status", "--count", "--env", "dev")}
    assert (after[old]["state"], after[old]["online rows"], after[old]["next run"]) == ("retired", 0, None)
    assert after["airport_departures@v2"]["state"] == "never run"
    online = cloud.session().client("dynamodb").scan(TableName=cloud.environment("dev").online_table)
    assert online["Items"] == []

    for command in ("backfill", "materialize"):
        refused = asof(command, old, "--start", "2026-01-01", "--env", "dev", code=2).stderr
        assert f"{old} is retired, so no run works on it any more" in " ".join(refused.split())
    definitions.write(DEFINITIONS)
    assert "is retired" in asof("plan", *definitions.path, "--env", "dev", "--no-estimate", code=1).output
    assert "is retired" in asof("apply", *definitions.path, "--env", "dev", code=1).stderr
    assert "is retired" in asof("rollback", "--yes", "--env", "dev", code=1).stderr

    assert "stack while it is defined" in asof("retire", old, "--drop-history", "-y", "--env", "dev", code=1).stderr
    definitions.apply(SECOND.replace('airport_departures = departures_of(1, "3h", deprecated=True)\n', ""))
    assert "airport_departures_v1 is deregistered" in asof("retire", old, "--drop-history", "-y", "--env", "dev").output
    assert "airport_departures@v1" in asof("retire", "airport_departure@v1", "-y", "--env", "dev", code=2).stderr


def test_an_earlier_manifest_is_put_back_in_force(cloud: LocalCloud, definitions: Definitions) -> None:
    """The list says what changed when; the rollback shows what it changes; lookups of it are published again."""
    del cloud
    definitions.apply(DEFINITIONS)
    definitions.apply(DEFINITIONS.replace('"flight-ops"', '"others"'))
    listed = facts("rollback", "--list", "--env", "dev")
    assert [row["in force"] for row in listed] == [False, True]
    assert [row["changes"] for row in listed][1] == "~airport_departures@v1"
    assert "+model@v1" in listed[0]["changes"]
    assert facts("rollback", "--list", "--limit", "1", "--env", "dev") == listed[1:]

    asof("rollback", "--env", "dev", code=1)  # nobody says yes
    told = asof("rollback", "--to", listed[0]["fingerprint"][:8], "--yes", "--env", "dev").output
    assert "owner: others -> flight-ops" in told
    assert "npx cdk deploy --all -c env=dev" in told
    assert [row["in force"] for row in facts("rollback", "--list", "--env", "dev")] == [False, False, True]
    assert "no changes" not in asof("plan", *definitions.path, "--env", "dev").output
    assert "in force already" in asof("rollback", "--to", listed[0]["fingerprint"], "--env", "dev", code=2).stderr
    assert "unknown published manifest" in asof("rollback", "--to", "ffffff", "--env", "dev", code=2).stderr


def test_what_is_defined_can_be_looked_around_in(definitions: Definitions) -> None:
    """From the files alone: no AWS."""
    assert "per_gate" in asof("describe", "crowding", *definitions.path).output
    described = facts("describe", "airport_departures", *definitions.path)
    assert described["read by"] == ["crowding@v1", "model@v1"]
    assert "count(*) over 3h" in asof("describe", "airport_departures@v1", *definitions.path).output
    assert facts("search", "FLIGHT", "gate", *definitions.path) == []
    assert "nothing has all of" in asof("search", "FLIGHT", "gate", *definitions.path).output
    assert facts("search", "flight-ops", *definitions.path)[0]["reference"] == "airport_departures@v1"
    tree = asof("lineage", "model", *definitions.path).output
    assert "source departures\n└── view airport_departures@v1\n    ├── on-demand view crowding@v1: departed" in tree
    assert facts("lineage", "crowding", *definitions.path)[0]["name"] == "data"
    assert "airport_departures" in asof("describe", "airport_departure", *definitions.path, code=2).stderr


def test_what_is_deployed_can_be_looked_around_in(cloud: LocalCloud, definitions: Definitions) -> None:
    """It may differ from the files."""
    del cloud
    definitions.apply(DEFINITIONS)
    definitions.write(SECOND)
    assert "model@v1" in asof("lineage", "model", "--env", "dev").output
    asof("lineage", "model", *definitions.path, code=2)

"""The command line as a user runs it, against the local cloud: output, exit codes, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from asof.cli import main
from asof.clock import SystemClock, from_ms
from asof.local import LocalCloud
from asof.materialize.lease import acquire
from asof.offline.tables import parquet_table

DEFINITIONS = '''
"""One airport view."""

from asof.definitions import Aggregation, BatchSource, Entity, FeatureService, FeatureView, Float64, String

airport = Entity(name="airport", join_keys={"origin": String})
departures = BatchSource(
    name="departures", table="raw.departures", timestamp_field="departed_at",
    schema={"origin": String, "delay": Float64},
)
airport_departures = FeatureView(
    name="airport_departures", entity=airport, source=departures, schedule="1h", freshness="2h",
    aggregations=[
        Aggregation(function="count", time_window="3h"),
        Aggregation(function="mean", column="delay", time_window="3h"),
    ],
)
model = FeatureService(name="model", features=[airport_departures])
'''


def asof(*arguments: str, code: int = 0) -> Result:
    """Run the command; its exit code must be ``code``."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    """A folder of definitions."""
    folder = tmp_path / "feature_defs"
    folder.mkdir()
    (folder / "airports.py").write_text(DEFINITIONS)
    return folder


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A provisioned environment ``dev`` with an hour of departures in its source."""
    with LocalCloud() as cloud:
        cloud.provision(cloud.environment("dev"))
        session: Any = cloud.session()
        s3, glue = session.client("s3"), session.client("glue")
        s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        glue.create_database(DatabaseInput={"Name": "raw"})
        columns = [("origin", "string"), ("delay", "double"), ("departed_at", "timestamp")]
        glue.create_table(DatabaseName="raw", TableInput=parquet_table("departures", columns, "s3://raw/departures/"))
        now = from_ms(SystemClock().now_ms()).replace(tzinfo=None)
        times = [now - timedelta(minutes=90 + i) for i in range(4)]
        table = pa.table(
            {
                "origin": ["JFK", "JFK", "LGA", None],
                "delay": [1.0, 3.0, None, 1.0],
                "departed_at": pa.array(times, pa.timestamp("ms")),
            }
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        s3.put_object(Bucket="raw", Key="departures/0.parquet", Body=sink.getvalue().to_pybytes())
        yield cloud


def test_a_day_with_the_command_line(cloud: LocalCloud, definitions: Path, tmp_path: Path) -> None:
    """Validate, apply, explain, materialize, look at it, train, look up."""
    del cloud
    path = ("--path", str(definitions))
    assert "1 feature view" in asof("validate", *path).output
    assert "airport_departures@v1" in asof("views", *path).output
    assert "+ airport_departures@v1" in asof("apply", *path, "--env", "dev").output
    assert "0 new versions" in asof("apply", *path, "--env", "dev").output
    assert "[ ] compute" in asof("explain", "airport_departures", "--env", "dev").output

    run = json.loads(asof("materialize-incremental", "--env", "dev", "--json").output)
    assert [(each["view"], each["state"], each["quarantined"]) for each in run] == [
        ("airport_departures@v1", "published", 1)
    ]
    assert "nothing to do" in asof("materialize-incremental", "--env", "dev").output
    status = json.loads(asof("status", "--env", "dev", "--json").output)
    assert (status[0]["state"], status[0]["last run"].split()[-1]) == ("fresh", "published")
    assert "published" in asof("runs", "airport_departures", "--env", "dev").output

    labels = tmp_path / "labels.csv"
    now = datetime.now(timezone.utc).isoformat()
    labels.write_text(f"origin,event_timestamp,label\nJFK,{now},1\nEWR,{now},0\nJFK,{now},1\n")
    out = tmp_path / "training.parquet"
    made = asof("get-historical-features", str(labels), "-f", "model", "-o", str(out), "--env", "dev")
    assert "3 rows" in made.output
    training = pd.read_parquet(out)
    assert training["count_3h"].tolist()[::2] == [2, 2]
    assert training["delay_mean_3h"].tolist()[::2] == [2.0, 2.0]
    assert training["label"].tolist() == [1, 0, 1]

    shown = asof("get-online-features", "-f", "model", "-e", '{"origin": "JFK"}', "--env", "dev").output
    assert "PRESENT" in shown
    served = asof("get-online-features", "-f", "model", "-e", '{"origin": "JFK"}', "--env", "dev", "--json").output
    assert json.loads(served)["count_3h"] == [2]


def test_a_backfill_and_its_dry_run(cloud: LocalCloud, definitions: Path) -> None:
    """The dry run prints the stages and changes nothing; the backfill does them."""
    del cloud
    asof("apply", "--path", str(definitions), "--env", "dev")
    start = (datetime.now(timezone.utc) - timedelta(hours=5)).isoformat()
    dry = asof("backfill", "airport_departures", "--start", start, "--chunk", "2h", "--dry-run", "--env", "dev")
    assert dry.output.count("[ ] compute") >= 3
    assert "no runs" in asof("runs", "airport_departures", "--env", "dev").output
    done = asof("backfill", "airport_departures", "--start", start, "--chunk", "2h", "--env", "dev", "--json")
    assert json.loads(done.output)[0]["state"] == "published"


def test_mistakes_are_told_all_at_once_with_file_and_line(definitions: Path) -> None:
    """Five mistakes, five problems; exit code 1; the same as JSON for an editor."""
    broken = (
        DEFINITIONS.replace("entity=airport", "entity=airprt_typo, version=0")
        .replace('column="delay"', 'column="dealy"')
        .replace('schedule="1h"', 'schedule="hourly"')
        .replace('freshness="2h"', 'freshnes="2h"')
        .replace('time_window="3h"),\n        Agg', 'time_window="-3h"),\n        Agg')
        .replace("airprt_typo", "departures")
    )
    (definitions / "airports.py").write_text(broken)
    told = asof("validate", "--path", str(definitions), code=1).stderr
    assert told.count("airports.py:") >= 5, told
    problems = json.loads(asof("validate", "--path", str(definitions), "--json", code=1).output)
    assert len(problems) >= 5
    assert all(each["file"].endswith("airports.py") and each["line"] > 0 for each in problems)


def test_a_changed_meaning_is_refused(cloud: LocalCloud, definitions: Path) -> None:
    """The version is named, the way out is said, and the exit code is 1."""
    del cloud
    asof("apply", "--path", str(definitions), "--env", "dev")
    (definitions / "airports.py").write_text(DEFINITIONS.replace("count", "count_distinct", 1).replace(
        'Aggregation(function="count_distinct", time', 'Aggregation(function="count_distinct", column="delay", time'
    ))  # fmt: skip
    told = asof("apply", "--path", str(definitions), "--env", "dev", code=1).stderr
    assert "airport_departures@v1" in told
    assert "new version" in told


def test_exit_codes_tell_scripts_what_happened(cloud: LocalCloud, definitions: Path) -> None:
    """2 for a wrong call, with the nearest name; 3 for a view somebody else works on; 1 for an unreachable source."""
    asof("apply", "--path", str(definitions), "--env", "dev")
    told = asof("runs", "airport_departure", "--env", "dev", code=2).stderr
    assert "airport_departures" in told
    asof("get-online-features", "-f", "model", "-e", "{origin}", "--env", "dev", code=2)
    asof("backfill", "airport_departures", "--start", "yesterday", "--env", "dev", code=2)
    dynamodb = cloud.session().client("dynamodb")
    table = cloud.environment("dev").control_table
    lease = acquire(dynamodb, table, "airport_departures@v1", "somebody else", SystemClock())
    told = asof("materialize-incremental", "--env", "dev", code=3).stderr
    assert "somebody else" in told
    lease.release()
    cloud.session().client("glue").delete_table(DatabaseName="raw", Name="departures")
    told = asof("materialize-incremental", "--env", "dev", code=1).stderr
    assert "raw.departures" in told


def test_an_environment_that_is_not_there_says_so(cloud: LocalCloud) -> None:
    """No traceback, but what to run."""
    del cloud
    assert "asof apply" in asof("status", "--env", "dev", code=1).stderr
    assert "deployed?" in asof("status", "--env", "nowhere", code=1).stderr


def test_every_command_teaches() -> None:
    """``--help`` works everywhere and every option says what it is for."""
    for name, command in main.commands.items():
        text = asof(name, "--help").output
        assert command.help, name
        assert "Usage:" in text
        for parameter in command.params:
            if getattr(parameter, "param_type_name", "") == "option" and parameter.name != "help":
                assert getattr(parameter, "help", None), f"{name} --{parameter.name}"


def test_examples_in_help_keep_their_lines() -> None:
    """What is to be typed stands on a line of its own."""
    lines = asof("--help").output.splitlines()
    assert any(line.strip().startswith("asof validate ") for line in lines)
    assert not any("\\b" in line for line in lines)

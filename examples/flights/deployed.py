"""The demo of a deployment: the real ``cdk deploy`` against a local cloud, and all that it deployed at work.

Run it with ``python -m examples.flights.deployed``. It needs what a deployment needs (``npm ci``, the CDK's libraries)
but no AWS account. Nothing is left running when it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import boto3
import pandas as pd
import pyarrow as pa
from rich.table import Table

from asof.clock import DAY_MS, SystemClock, from_ms, iso
from asof.errors import AsofError, LocalCloudError
from asof.local.server import LocalServer
from asof.names import Environment
from asof.serve.http import plain
from asof.store import FeatureStore
from examples.flights import dataset, lake
from examples.flights.deployment import Deployment
from examples.flights.printing import cell, console, stage

ENVIRONMENT: Final = "dev"
LAKE_BUCKET: Final = "nyc-flights"
HOUR_MS: Final = 3_600_000
MORNING_MS: Final = 15 * HOUR_MS + 20 * 60_000
HISTORY_MS: Final = 30 * DAY_MS
VIEWS: Final = ("airport_departures", "airport_weather", "carrier_punctuality")
KEYS: Final = ("origin", "carrier")
FEATURES: Final = (
    "airport_departures:count_3h",
    "airport_departures:dep_delay_mean_3h",
    "airport_departures:count_24h",
    "airport_weather:temp",
    "airport_weather:visib",
    "carrier_punctuality:departures_7d",
    "carrier_punctuality:mean_delay_24h",
)
SHOWN: Final = ("count_3h", "dep_delay_mean_3h", "temp", "mean_delay_24h")
SILENCE: Final = "3h10m"  # a little longer than the view's freshness
AGAIN: Final = "50m"  # over the next hour, when the next run comes
ALARM: Final = "freshness-airport_departures-v1"


def main() -> int:
    """Run all stages; the exit code is 0 only if served values equalled training values and the alarm did its work."""
    # Also when it is told to end, nothing may be left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # What fails inside a state machine is in its execution history.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    began = time.perf_counter()
    now_ms = last_morning(SystemClock().now_ms())
    console.print(f"\n[bold]Asof[/]: the unmodified cdk deploy against a local cloud, where it is {iso(now_ms)}\n")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="asof-demo-") as folder,
            LocalServer(now_ms=now_ms) as server,
            # Whatever speaks to AWS in this process speaks to the local cloud.
            patch.dict(os.environ, server.client_environment()),
        ):
            good = run(server, Path(folder))
    except AsofError as error:
        console.print(f"{type(error).__name__}: {error}", style="red", markup=False)
        good = False
    console.print(f"\n{time.perf_counter() - began:.0f} seconds in all; the local cloud has ended.")
    return 0 if good else 1


def last_morning(now_ms: int) -> int:
    """The last 15:20 UTC: in the hours after it flights leave New York all the time, so silence means something."""
    return (now_ms - MORNING_MS) // DAY_MS * DAY_MS + MORNING_MS


def run(server: LocalServer, folder: Path) -> bool:
    """All stages; whether everything was as it should be."""
    session = boto3.Session(region_name=server.region)
    deployment = Deployment(Environment(ENVIRONMENT, server.account, server.region), session, folder)
    silent_from_ms = server.now_ms() + HOUR_MS
    with stage("raw data") as did:
        tables = fill_lake(deployment, silent_from_ms)
        did.append(", ".join(f"{name} {table.num_rows:,}" for name, table in tables.items()))
    deploy(deployment)
    with stage("state machine") as did:
        now_ms = server.now_ms()
        asked = {"views": VIEWS, "start": iso(now_ms - HISTORY_MS), "end": iso(now_ms), "chunk": "31d"}
        deployment.run_machine("backfill", asked)
        did.append(f"{deployment.environment.named('backfill')}: 30 days of {len(VIEWS)} views")
    with FeatureStore.from_environment(ENVIRONMENT, session=session, clock=server.assembly.clock) as store:
        train(store, tables, server.now_ms())
        equal = look_up(deployment, store, server.now_ms())
        ran = an_hour_later(server, deployment, store)
        equal = look_up(deployment, store, server.now_ms()) and equal
    return watch_alarm(server, deployment) and ran and equal


def fill_lake(deployment: Deployment, until_ms: int) -> dict[str, pa.Table]:
    """Write the raw tables, as far as they are known at an instant, to a bucket of their own."""
    s3 = deployment.client("s3")
    if LAKE_BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        place = {"LocationConstraint": deployment.environment.region}
        s3.create_bucket(Bucket=LAKE_BUCKET, CreateBucketConfiguration=place)
    tables = dataset.load(until_ms)
    lake.write(tables, s3=s3, glue=deployment.client("glue"), bucket=LAKE_BUCKET)
    return tables


def deploy(deployment: Deployment) -> None:
    """Bootstrap and deploy, as a user with an AWS account does."""
    with stage("cdk bootstrap") as did:
        did.append(deployment.bootstrap())
    with stage("cdk deploy") as did:
        deployment.deploy()
        did.append(", ".join(f"{name}: {count} resources" for name, count in deployment.resources().items()))


def train(store: FeatureStore, tables: dict[str, pa.Table], now_ms: int) -> None:
    """A training set of the last ten days' departures, asked an hour before each was to leave."""
    with stage("training set") as did:
        rows = dataset.entity_rows(tables)
        frame = rows.select([*KEYS, "event_timestamp", "dep_delay"]).to_pandas()
        asked = frame["event_timestamp"]
        recent = frame[(asked > from_ms(now_ms - 10 * DAY_MS)) & (asked <= from_ms(now_ms))].reset_index(drop=True)
        trained = store.get_historical_features(recent, list(FEATURES)).to_pandas()
        known = int(trained["count_24h"].notna().sum())
        did.append(f"{len(recent):,} departures in, {len(trained):,} rows out, {known:,} with a count of departures")


def look_up(deployment: Deployment, store: FeatureStore, now_ms: int) -> bool:
    """Ask the deployed HTTP API, and compare every value with what training says of this instant."""
    pairs = [("EWR", "UA"), ("EWR", "EV"), ("JFK", "B6"), ("JFK", "DL"), ("LGA", "AA"), ("LGA", "MQ")]
    entities = {name: [pair[i] for pair in pairs] for i, name in enumerate(KEYS)}
    with stage("HTTP lookups") as did:
        answer = deployment.post("/get-online-features", {"features": FEATURES, "entities": entities})
        results = zip(answer["metadata"]["feature_names"], answer["results"], strict=True)
        served = {name: result["values"] for name, result in results if name not in KEYS}
        labelled = pd.DataFrame({**entities, "event_timestamp": from_ms(now_ms)})
        found = store.get_historical_features(labelled, list(FEATURES)).to_arrow()
        trained = {name: [plain(value) for value in found[name].to_pylist()] for name in served}
        wrong = [name for name in served if served[name] != trained[name]]
        count = sum(value is not None for values in served.values() for value in values)
        verdict = f"[red]{wrong} differ[/]" if wrong else f"[green]all {len(pairs) * len(served)} equal training[/]"
        did.append(
            f"{len(pairs)} entities x {len(served)} features at {iso(now_ms)[11:16]}, {count} not null: {verdict}"
        )
    console.print(compared(pairs, served, trained))
    return not wrong and count > 0


def compared(pairs: list[tuple[str, str]], served: dict[str, list[Any]], trained: dict[str, list[Any]]) -> Table:
    """Some of the values, side by side."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("          served = trained", no_wrap=True)
    for name in SHOWN:
        table.add_column(name, justify="right", no_wrap=True)
    for i, pair in enumerate(pairs):
        cells = [f"{cell(served[name][i])} = {cell(trained[name][i])}" for name in SHOWN]
        table.add_row(f"          {' '.join(pair)}", *cells)
    return table


def an_hour_later(server: LocalServer, deployment: Deployment, store: FeatureStore) -> bool:
    """Skip an hour: every view's schedule starts the state machine. Whether all runs succeeded."""
    with stage("an hour later") as did:
        before = len(deployment.executions("materialize"))
        advance(server, "1h")
        statuses = deployment.executions("materialize")
        new = statuses[: len(statuses) - before]
        did.append(f"schedules started {len(new)} runs, {new.count('SUCCEEDED')} succeeded")
        marks = [store.watermark(view) for view in VIEWS]
        did.append(f"published through {', '.join(iso(mark.through_ms)[11:16] for mark in marks if mark)}")
    return bool(new) and set(new) == {"SUCCEEDED"}


def watch_alarm(server: LocalServer, deployment: Deployment) -> bool:
    """The source has fallen silent: the alarm goes off after the view's freshness, and clears when data come again."""
    with stage("source silent") as did:
        before = deployment.alarm(ALARM)
        advance(server, SILENCE)
        silent = deployment.alarm(ALARM)
        did.append(f"{ALARM}: {before} before, [red]{silent}[/] {SILENCE} later")
    with stage("source back") as did:
        fill_lake(deployment, server.now_ms() + HOUR_MS)
        advance(server, AGAIN)
        back = deployment.alarm(ALARM)
        did.append(f"{ALARM}: [green]{back}[/] {AGAIN} later")
    return (before, silent, back) == ("OK", "ALARM", "OK")


def advance(server: LocalServer, by: str) -> None:
    """Move the clock; raises LocalCloudError where something that began on the way does not come to an end."""
    if not server.advance(by):
        raise LocalCloudError(f"something that began within {by} is still at work")


if __name__ == "__main__":
    sys.exit(main())

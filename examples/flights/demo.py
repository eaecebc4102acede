"""The demo: the real ``cdk deploy`` against a local cloud, and all that it deployed at work on a year of flights.

Run it with ``make demo``, or ``python -m examples.flights.demo``. It needs what a deployment needs (``npm ci``, the
CDK's libraries) but no AWS account.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from unittest.mock import patch

import boto3
import pandas as pd
import pyarrow as pa

from asof.clock import DAY_MS, SystemClock, duration_ms, from_ms, iso
from asof.errors import LocalCloudError
from asof.local.server import LocalServer
from asof.names import Environment
from asof.serve.http import plain
from asof.store import FeatureStore
from examples.flights import dataset, lake
from examples.flights.cdk import unwatched
from examples.flights.deployment import Deployment
from examples.flights.ending import ended
from examples.flights.printing import Stage, compared, console, stage, try_next

ENVIRONMENT: Final = "dev"
LAKE_BUCKET: Final = "nyc-flights"
HOUR_MS: Final = 3_600_000
MORNING_MS: Final = 15 * HOUR_MS + 20 * 60_000
STEP_MS: Final = 10 * 60_000
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
# The airports report their weather every hour of the day, so it is soon clear that its source has stopped.
ALARM: Final = "freshness-airport_weather-v1"
SILENCE: Final = "3h10m"  # a little longer than the view's freshness
AGAIN: Final = "50m"  # over the next hour, when the next run comes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all stages; the exit code is 0 only if served values equalled training values and the alarm did its work."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.flights.demo",
        description="The unmodified cdk deploy against a local cloud, then all it deployed at work on a year of "
        "flights: state machines, a training set, HTTP lookups, schedules, and an alarm that goes off when a source "
        "stops. No AWS account, no Docker; two minutes; nothing is left running.",
        epilog="Exit code: 0 where all was as it should be, 1 where not, 128 + n when ended by signal n.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the local cloud on this machine; default a free one"
    )
    parser.add_argument(
        "--stay", action="store_true", help="at the end keep the local cloud until Ctrl-C, to look around"
    )
    given = parser.parse_args(arguments)
    # What fails inside a state machine is in its execution history.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    return ended(lambda: demonstrated(given.port, stay=given.stay))


def demonstrated(port: int, *, stay: bool) -> bool:
    """A local cloud's whole life with the demo in it; whether everything was as it should be."""
    began = time.perf_counter()
    now_ms = last_morning(SystemClock().now_ms())
    console.print(f"\n[bold]Asof[/]: the unmodified cdk deploy against a local cloud, where it is {iso(now_ms)}\n")
    with (
        tempfile.TemporaryDirectory(prefix="asof-demo-") as folder,
        LocalServer(port=port, now_ms=now_ms) as server,
        # Whatever speaks to AWS in this process speaks to the local cloud.
        patch.dict(os.environ, server.client_environment()),
    ):
        good = run(server, Path(folder))
        console.print(f"\n{time.perf_counter() - began:.0f} seconds in all.", end=" ")
        if stay:
            console.print("The local cloud stays until Ctrl-C; look around in it from another terminal:")
            try_next(
                {
                    f'eval "$(.venv/bin/asof local env --port {server.port})"': "lead clients to it",
                    f".venv/bin/asof runs airport_weather --env {ENVIRONMENT}": "what its runs did",
                    f".venv/bin/asof local advance 1h --port {server.port}": "skip an hour",
                }
            )
            while True:
                time.sleep(1)
    console.print("The local cloud has ended. Try next:")
    try_next(
        {
            ".venv/bin/python -m examples.flights.demo --stay": "the same, and then look around in it",
            "make demo-core": "all views over the whole year, in one process",
            ".venv/bin/asof sql airport_departures": "the SQL that computes the history",
            "make test": "the proofs",
        }
    )
    return good


def last_morning(now_ms: int) -> int:
    """The last 15:20 UTC: in the hours after it flights leave New York all the time, so silence means something."""
    return (now_ms - MORNING_MS) // DAY_MS * DAY_MS + MORNING_MS


def run(server: LocalServer, folder: Path) -> bool:
    """All stages; whether everything was as it should be."""
    session = boto3.Session(region_name=server.region)
    deployment = Deployment(Environment(ENVIRONMENT, server.account, server.region), session, folder)
    silent_from_ms = server.now_ms() + HOUR_MS
    with stage("raw data") as at_work:
        tables = fill_lake(deployment, silent_from_ms)
        at_work.did(", ".join(f"{name} {table.num_rows:,}" for name, table in tables.items()))
    deploy(deployment)
    backfill(deployment, server.now_ms())
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
    with stage("cdk bootstrap") as at_work:
        at_work.did(deployment.bootstrap(at_work.at))
    with stage("cdk deploy") as at_work:
        deployment.deploy(at_work.at)
        at_work.did(", ".join(f"{name}: {count} resources" for name, count in deployment.resources().items()))


def backfill(deployment: Deployment, now_ms: int) -> None:
    """Start the deployed state machine over a month of the demo's views, and see it through."""
    with stage("state machine") as at_work:
        asked = {"views": VIEWS, "start": iso(now_ms - HISTORY_MS), "end": iso(now_ms), "chunk": "31d"}
        deployment.run_machine("backfill", asked, at_work.at if console.is_terminal else unwatched)
        at_work.did(f"{deployment.environment.named('backfill')}: 30 days of {len(VIEWS)} views")


def train(store: FeatureStore, tables: dict[str, pa.Table], now_ms: int) -> None:
    """A training set of the last ten days' departures, asked an hour before each was to leave."""
    with stage("training set") as at_work:
        rows = dataset.entity_rows(tables)
        frame = rows.select([*KEYS, "event_timestamp", "dep_delay"]).to_pandas()
        asked = frame["event_timestamp"]
        recent = frame[(asked > from_ms(now_ms - 10 * DAY_MS)) & (asked <= from_ms(now_ms))].reset_index(drop=True)
        trained = store.get_historical_features(recent, list(FEATURES)).to_pandas()
        known = int(trained["count_24h"].notna().sum())
        at_work.did(f"{len(recent):,} departures in, {len(trained):,} rows out, {known:,} with a count of departures")


def look_up(deployment: Deployment, store: FeatureStore, now_ms: int) -> bool:
    """Ask the deployed HTTP API, and compare every value with what training says of this instant."""
    pairs = [("EWR", "UA"), ("EWR", "EV"), ("JFK", "B6"), ("JFK", "DL"), ("LGA", "AA"), ("LGA", "MQ")]
    entities = {name: [pair[i] for pair in pairs] for i, name in enumerate(KEYS)}
    with stage("HTTP lookups") as at_work:
        answer = deployment.post("/get-online-features", {"features": FEATURES, "entities": entities})
        results = zip(answer["metadata"]["feature_names"], answer["results"], strict=True)
        served = {name: result["values"] for name, result in results if name not in KEYS}
        labelled = pd.DataFrame({**entities, "event_timestamp": from_ms(now_ms)})
        found = store.get_historical_features(labelled, list(FEATURES)).to_arrow()
        trained = {name: [plain(value) for value in found[name].to_pylist()] for name in served}
        wrong = [name for name in served if served[name] != trained[name]]
        count = sum(value is not None for values in served.values() for value in values)
        verdict = f"[red]{wrong} differ[/]" if wrong else f"[green]all {len(pairs) * len(served)} equal training[/]"
        size = f"{len(pairs)} entities x {len(served)} features"
        at_work.did(f"{size} at {iso(now_ms)[11:16]}, {count} not null: {verdict}")
    console.print(compared([" ".join(pair) for pair in pairs], SHOWN, served, trained))
    return not wrong and count > 0


def an_hour_later(server: LocalServer, deployment: Deployment, store: FeatureStore) -> bool:
    """Skip an hour: every view's schedule starts the state machine. Whether all runs succeeded."""
    with stage("an hour later") as at_work:
        before = len(deployment.executions("materialize"))
        advance(server, "1h", at_work)
        statuses = deployment.executions("materialize")
        new = statuses[: len(statuses) - before]
        at_work.did(f"schedules started {len(new)} runs, {new.count('SUCCEEDED')} succeeded")
        marks = [store.watermark(view) for view in VIEWS]
        at_work.did(f"published through {', '.join(iso(mark.through_ms)[11:16] for mark in marks if mark)}")
    return bool(new) and set(new) == {"SUCCEEDED"}


def watch_alarm(server: LocalServer, deployment: Deployment) -> bool:
    """The source has fallen silent: the alarm goes off after the view's freshness, and clears when data come again."""
    with stage("source silent") as at_work:
        before = deployment.alarm(ALARM)
        advance(server, SILENCE, at_work)
        silent = deployment.alarm(ALARM)
        at_work.did(f"{ALARM}: {before} before, [red]{silent}[/] {SILENCE} later")
    with stage("source back") as at_work:
        fill_lake(deployment, server.now_ms() + HOUR_MS)
        advance(server, AGAIN, at_work)
        back = deployment.alarm(ALARM)
        at_work.did(f"{ALARM}: [green]{back}[/] {AGAIN} later")
    return (before, silent, back) == ("OK", "ALARM", "OK")


def advance(server: LocalServer, by: str, at_work: Stage) -> None:
    """Move the clock; raises LocalCloudError where something that began on the way does not come to an end."""
    whole_ms = duration_ms(by)
    for passed_ms in range(STEP_MS, whole_ms + 1, STEP_MS):
        if not server.advance(STEP_MS):
            raise LocalCloudError(f"something that began before {iso(server.now_ms())} is still at work")
        at_work.at(f"it is {iso(server.now_ms())[11:16]}", passed_ms, whole_ms)


if __name__ == "__main__":
    sys.exit(main())

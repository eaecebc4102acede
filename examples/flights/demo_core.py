"""The demo of the core: a year of flights all the way through the store in one process, without a deployment.

Run it with ``make demo-core``, or ``python -m examples.flights.demo_core``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from rich.table import Table

from asof.clock import DAY_MS, ManualClock, SystemClock, from_ms, iso
from asof.materialize.runner import Progress
from asof.store import FeatureStore
from examples.flights import dataset, lake
from examples.flights.ending import ended
from examples.flights.leak import one_leak
from examples.flights.printing import Stage, compared, console, stage, try_next

DEFINITIONS: Final = Path(__file__).parents[2] / "feature_defs"
SERVICE: Final = "departure_delay"
LAKE_BUCKET: Final = "nyc-flights"
YEAR_MS: Final = 372 * DAY_MS


SHOWN: Final = ("count_3h", "last_arr_delay", "temp", "delay_risk")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all stages; the exit code is 0 only if served values equalled training values."""
    argparse.ArgumentParser(
        prog="python -m examples.flights.demo_core",
        description="A year of departures from New York through the store, in this process: definitions, history, "
        "DynamoDB, a training set, a row that a naive join gets wrong, and lookups that equal training. One minute.",
        epilog="Exit code: 0 where served values equalled training values, 1 where not.",
    ).parse_args(arguments)
    return ended(demonstrated)


def demonstrated() -> bool:
    """All stages; whether served values equalled training values."""
    now_ms = SystemClock().now_ms()
    began = time.perf_counter()
    console.print(f"\n[bold]Asof[/]: a year of departures from New York, ending now ({iso(now_ms // 1000 * 1000)})\n")
    with stage("definitions") as at_work:
        # The clock stands still, so that what is served now can be compared with what training says about now.
        store = FeatureStore.local(DEFINITIONS, clock=ManualClock(now_ms))
        features = sum(len(view.features) for view in store.manifest.views())
        at_work.did(f"{len(list(store.manifest.views()))} views, {features} features; published, tables created")
    with store:
        with stage("raw data") as at_work:
            tables = dataset.load(now_ms)
            put_in_lake(store, tables)
            at_work.did(", ".join(f"{name} {table.num_rows:,}" for name, table in tables.items()))
        materialize(store, now_ms)
        training = train(store, tables)
        show_leak(tables, training)
        equal = serve(store, training, now_ms)
    console.print(f"\n{time.perf_counter() - began:.0f} seconds in all. Try next:")
    try_next(
        {
            ".venv/bin/asof views": "what is defined in feature_defs/",
            ".venv/bin/asof sql airport_departures": "the SQL that computed the history",
            ".venv/bin/asof compile | less": "the manifest everything else reads",
            "make demo": "the same on a real deployment: cdk deploy, HTTP, schedules, alarms",
        }
    )
    return equal


def put_in_lake(store: FeatureStore, tables: dict[str, pa.Table]) -> None:
    """Write the raw tables to a bucket of their own."""
    services = store.services
    services.s3.create_bucket(
        Bucket=LAKE_BUCKET,
        CreateBucketConfiguration={"LocationConstraint": services.environment.region},  # type: ignore[typeddict-item]  # a str, where the stubs list regions
    )
    lake.write(tables, s3=services.s3, glue=services.glue, bucket=LAKE_BUCKET)


def materialize(store: FeatureStore, now_ms: int) -> None:
    """Compute each view's history over the year and load the newest values."""
    for view in store.views():
        with stage("materialize") as at_work:
            start, end = from_ms(now_ms - YEAR_MS), from_ms(now_ms + 1)
            runs = store.backfill(view.name, start, end, chunk="90d", progress=told(at_work, view.name))
            rows, items = sum(run.rows for run in runs), sum(run.written for run in runs)
            at_work.did(f"{view.name:<20}{rows:>8,} rows in S3, {items:>5,} in DynamoDB")


def told(at_work: Stage, view: str) -> Progress:
    """Shows a run's progress."""
    return lambda what, done, total: at_work.at(f"{view}: {what}", done, total)


def train(store: FeatureStore, tables: dict[str, pa.Table]) -> pd.DataFrame:
    """The training set: every departure, asked an hour before it was to leave."""
    with stage("training set") as at_work:
        rows = dataset.entity_rows(tables)
        job = store.get_historical_features(rows, SERVICE)
        frame = job.to_pandas()
        at_work.did(f"{len(rows):,} departures in, {len(frame):,} rows out, {len(job.features)} features each")
    return frame


def show_leak(tables: dict[str, pa.Table], training: pd.DataFrame) -> None:
    """One training row that a naive join gets wrong, beside the right one."""
    with stage("the leak") as at_work:
        leak = one_leak(training, tables["weather"].to_pandas())
        at_work.did(f"joined by event time alone, {leak.wrong:,} rows would be wrong; one of them:")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "temp", "observed at", "reported at"):
        table.add_column(column)
    table.add_row("          naive join", f"[red]{leak.naive.temp:.1f}[/]", *leak.naive.times())
    table.add_row("          Asof", f"[green]{leak.right.temp:.1f}[/]", *leak.right.times())
    console.print(f"          a departure from {leak.origin}, asked at [bold]{leak.asked:%Y-%m-%d %H:%M}[/]:")
    console.print(table)


def serve(store: FeatureStore, training: pd.DataFrame, now_ms: int) -> bool:
    """Look the last ten departures up online and compare every value with the training value at this instant."""
    keys = ["origin", "dest", "carrier", "tailnum", "sched_departure"]
    last = training.drop_duplicates("tailnum", keep="last").tail(10)[keys].reset_index(drop=True)
    with stage("lookups") as at_work:
        response = store.get_online_features(SERVICE, request_rows(last))
        labelled = last.assign(event_timestamp=pd.Timestamp(now_ms, unit="ms", tz="UTC"))
        trained = store.get_historical_features(
            pa.Table.from_pandas(labelled, preserve_index=False), SERVICE
        ).to_arrow()
        served = dict(zip(response.names, zip(*response.values, strict=True), strict=True))
        wrong = [name for name in response.names if list(served[name]) != trained[name].to_pylist()]
        count = len(last) * len(response.names)
        at_work.did(
            f"10 departures x {len(response.names)} features: "
            + (f"[green]all {count} served values equal training[/]" if not wrong else f"[red]{wrong} differ[/]")
        )
    rows = [f"{row.carrier} {row.origin}-{row.dest} {row.tailnum}" for row in last.itertuples(index=False)]
    console.print(compared(rows, SHOWN, served, {name: trained[name].to_pylist() for name in SHOWN}))
    return not wrong


def request_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as a caller would send them, with None for a missing key."""
    return [
        {str(name): None if pd.isna(value) else (value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)
         for name, value in row.items()}
        for row in frame.to_dict("records")
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

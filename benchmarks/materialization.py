"""Loading the online store: rows per second of processor, memory, and how many writes freshness takes.

First, a load of one view with ten features, from what a run's query left behind, into DynamoDB Local, beside Feast's
``materialize`` of the same rows; both are read back and compared before their time counts. Asof writes each row under
the condition that it is newer, Feast in batches without one.

Then a week of hourly runs over the flights: rows where windows changed, which is what Asof writes, beside every entity
each hour, which is what a store is given that keeps what it is told. Asof's are written hour by hour and read back.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import boto3
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from asof.clock import DAY_MS
from asof.online.client import client_config, online_client
from asof.online.layout import ItemLayout
from asof.online.reader import OnlineReader
from asof.online.writer import OnlineWriter
from asof.references import resolve
from benchmarks.support import harness, online_week, online_workers, plot, report
from benchmarks.support.arguments import NEEDS_JAVA, command_line, parsed
from benchmarks.support.dynamodb_units import write_units
from benchmarks.support.harness import Contestant, Limits, Run
from benchmarks.support.online_data import SEED
from benchmarks.support.online_load_data import VIEW, Load
from benchmarks.support.online_week import VIEWS, Week
from benchmarks.support.plot import Value
from tests.support.dynamodb_local import KEYS, REGION, create_table, open_dynamodb

CONTESTANTS: Final = (
    Contestant("asof", "benchmarks.support.online_load:asof"),
    Contestant("feast", "benchmarks.support.online_load_feast:feast", "feast"),
)
ROWS: Final = {True: (500, 2_000), False: (5_000, 20_000)}
DAYS: Final = {True: 1, False: 7}
LIMITS: Final = Limits(seconds=300)
UNKNOWN: Final = (
    "DynamoDB Local shares the machine's cores with the client, so rows per second by the clock are its own limit.",
    "DynamoDB Local throttles nothing; DynamoDB begins at some thousand writes per second for a new on-demand table.",
    "Write units follow from items' sizes by DynamoDB's published rules; nothing here was billed.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A contestant's loads of so many rows; the measures are medians of its runs, with their spread."""

    contestant: str
    rows: int
    rows_per_cpu_second: Value
    rows_per_second: Value
    peak_mb: Value
    added_mb: Value
    write_units: int
    wrong: int


@dataclasses.dataclass(frozen=True, slots=True)
class WeekResult:
    """A view's week: rows (and write units) where something changed, and of every entity each hour."""

    view: str
    hours: int
    changed_rows: int
    changed_units: int
    dense_rows: int
    dense_units: int
    wrong: int


class Bench:
    """What all loads have in common: a store, a folder, and names nobody had before."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint = endpoint
        self.folder = folder
        session = boto3.Session(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
        self.dynamodb: Any = session.client("dynamodb", endpoint_url=endpoint, config=client_config(read_timeout_s=30))
        self._number = 0

    def name(self) -> str:
        """A table's."""
        self._number += 1
        return f"load-{self._number}"

    def load(self, rows: int, *, check: bool) -> Load:
        """A load into a table of its own."""
        keys = KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]
        return Load(rows, self.endpoint, str(self.folder), self.name(), REGION, *keys, check=check)

    def items(self) -> Iterable[Mapping[str, Any]]:
        """Everything in the one table there is."""
        (table,) = self.dynamodb.list_tables()["TableNames"]
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]

    def clear(self) -> None:
        """Delete all tables, for their memory."""
        for table in self.dynamodb.list_tables()["TableNames"]:
            self.dynamodb.delete_table(TableName=table)


def loads(bench: Bench, sizes: Sequence[int], runs: int) -> list[Loaded]:
    """Every contestant's loads, in turns."""
    found = []
    for rows in sizes:
        checked = {each.name: check(bench, each, rows) for each in CONTESTANTS}
        taken: dict[str, list[Run]] = {each.name: [] for each in CONTESTANTS}
        for _ in range(runs):
            for each in CONTESTANTS:
                task = dataclasses.asdict(bench.load(rows, check=False))
                taken[each.name].append(harness.run_once(each, task, LIMITS))
                bench.clear()
        found += [summary(name, rows, taken[name], *checked[name]) for name in taken]
        show_loads(found[-len(taken) :])
    return found


def check(bench: Bench, contestant: Contestant, rows: int) -> tuple[int, int]:
    """The write units of a load, and how many rows of it are wrong."""
    answer = bench.folder / "answer.parquet"
    harness.run_once(contestant, dataclasses.asdict(bench.load(rows, check=True)), LIMITS, answer)
    units = write_units(bench.items())
    bench.clear()
    return units, int(pq.read_table(answer)["wrong"][0].as_py())


def summary(name: str, rows: int, runs: Sequence[Run], units: int, wrong: int) -> Loaded:
    """Medians with their spread."""
    return Loaded(
        contestant=name,
        rows=rows,
        rows_per_cpu_second=online_workers.value([rows / run.processor for run in runs]),
        rows_per_second=online_workers.value([rows / run.seconds for run in runs]),
        peak_mb=online_workers.value([run.megabytes for run in runs]),
        added_mb=online_workers.value([run.added for run in runs]),
        write_units=units,
        wrong=wrong,
    )


def week(bench: Bench, days: int) -> list[WeekResult]:
    """Every view's week; Asof's rows are written hour by hour."""
    manifest, connection, start_ms = online_week.flights()
    found = []
    for name in VIEWS:
        one = online_week.week(manifest, connection, name, start_ms, days)
        entity = manifest.entity(one.view.entity)
        table = bench.name()
        create_table(bench.dynamodb, table)
        writer = OnlineWriter(online_client(bench.dynamodb), table)
        hourly = groupby(one.changed, key=lambda each: each.event_ms)
        written = sum(writer.write(one.view, entity, list(rows)).written for _, rows in hourly)
        layout = ItemLayout(one.view, entity)
        units = write_units(layout.item(each) for each in one.changed)
        per_row = units / written  # an entity's item is as large whether or not it changed
        found.append(
            WeekResult(
                view=one.view.reference,
                hours=days * DAY_MS // online_week.HOUR_MS,
                changed_rows=written,
                changed_units=units,
                dense_rows=sum(one.dense),
                dense_units=round(sum(one.dense) * per_row),
                wrong=wrong_entities(bench, table, one, manifest),
            )
        )
        bench.clear()
    show_week(found)
    return found


def wrong_entities(bench: Bench, table: str, one: Week, manifest: Any) -> int:
    """How many entities do not have their newest row in the store."""
    newest = {each.keys: each for each in one.changed}  # rows are in the order of their times
    names = [key.name for key in manifest.entity(one.view.entity).join_keys]
    reader = OnlineReader(online_client(bench.dynamodb), table, consistent=True)
    rows = [dict(zip(names, keys, strict=True)) for keys in newest]
    (answer,) = reader.read(resolve(manifest, one.view.reference).views, rows)
    return sum(
        (tuple(got.values), got.event_ms) != (tuple(wanted.values), wanted.event_ms)
        for got, wanted in zip(answer.rows, newest.values(), strict=True)
    )


def show_loads(found: Sequence[Loaded]) -> None:
    """One size's table."""
    table = Table(title=f"\n{found[0].rows:,} rows of {VIEW}", title_justify="left", box=None, header_style="bold")
    table.add_column("contestant")
    for name in ("rows/s of cpu", "min..max", "rows/s", "peak MB", "added MB", "write units", "rows wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        cpu = each.rows_per_cpu_second
        table.add_row(
            each.contestant,
            f"{cpu.median:,.0f}",
            f"{cpu.low:,.0f}..{cpu.high:,.0f}",
            f"{each.rows_per_second.median:,.0f}",
            f"{each.peak_mb.median:.0f}",
            f"{each.added_mb.median:.0f}",
            f"{each.write_units:,}",
            f"[red]WRONG: {each.wrong:,}[/]" if each.wrong else "0",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def show_week(found: Sequence[WeekResult]) -> None:
    """The week's table."""
    title = f"\n{found[0].hours} hourly runs over the flights, write units"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("view")
    for name in ("what changed (asof)", "every entity each hour", "times fewer", "entities wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    total = WeekResult("all", 0, *(sum(getattr(each, name) for each in found) for name in _SUMMED))
    for each in (*found, total):
        fewer = f"{each.dense_units / each.changed_units:.1f}"
        wrong = f"[red]WRONG: {each.wrong}[/]" if each.wrong else "0"
        table.add_row(each.view, f"{each.changed_units:,}", f"{each.dense_units:,}", fewer, wrong)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


_SUMMED: Final = ("changed_rows", "changed_units", "dense_rows", "dense_units", "wrong")


def write(loaded: Sequence[Loaded], weeks: Sequence[WeekResult], folder: Path) -> None:
    """JSON, and a plot."""
    results = {
        "seed": SEED,
        "what_this_cannot_tell": UNKNOWN,
        "loads": [dataclasses.asdict(each) for each in loaded],
        "week_of_flights": [dataclasses.asdict(each) for each in weeks],
    }
    report.write_json("materialization", results, {"": ("boto3",), "feast": ("feast", "boto3")}, folder)
    groups: dict[str, dict[str, Value | None]] = {
        each.view: {
            "what changed": Value(each.changed_units, each.changed_units, each.changed_units),
            "every entity each hour": Value(each.dense_units, each.dense_units, each.dense_units),
        }
        for each in weeks
    }
    title = f"Write units of {weeks[0].hours} hourly runs"
    plot.bars(folder / "materialization.svg", title, groups, "write units", log=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = command_line(
        "materialization",
        __doc__,
        quick="few rows and a day, in a minute, instead of a week",
        epilog=NEEDS_JAVA,
    )
    parser.add_argument("--runs", type=int, default=5, help="loads per contestant and size, in fresh processes")
    return parsed(parser, given)


def main() -> None:
    """Measures, prints and writes."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as folder, open_dynamodb() as endpoint:
        bench = Bench(endpoint, Path(folder))
        weeks = week(bench, DAYS[options.quick])
        write(loads(bench, ROWS[options.quick], options.runs), weeks, options.output)


if __name__ == "__main__":
    main()

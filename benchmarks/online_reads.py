"""Lookups: time by the clock and of the processor, of Asof's reader and of what one would otherwise use.

Every contestant reads the same values, which are checked before its time counts, each from items of its own store's
kind. Two stores stand behind them: DynamoDB Local, and a stub that replays the answers recorded from it in constant
time, where what is left is the client's own cost. ``floor`` is a hand-signed call over a bare socket without anything
that makes a client safe, whose answer is bare rows, without names, statuses and times; ``hand-signed`` the same over
urllib3.

All sizes take some six minutes on two quiet cores, because slow contestants are asked less often: a size's answers are
checked for a second and then timed in five rounds of 0.12 seconds, each of at least two calls, and only sets of
entities that were checked are timed. What each store gave is written when it is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.support import online_workers as online
from benchmarks.support import plot, report
from benchmarks.support.arguments import NEEDS_JAVA, command_line, parsed
from benchmarks.support.online_contestants import fill
from benchmarks.support.online_data import SEED, WIDTHS, Cell
from benchmarks.support.online_workers import CONTESTANTS, FEAST, Result
from benchmarks.support.stub_server import open_stub
from tests.support.dynamodb_local import client, open_dynamodb

ENTITIES: Final = (1, 10, 100)
VIEWS: Final = (1, 2, 5)
STORES: Final = ("stub", "dynamodb-local")
QUICK: Final = (Cell(1, 2, 10), Cell(10, 2, 10), Cell(100, 2, 10))
FULL: Final = tuple(Cell(entities, views, width) for width in WIDTHS for views in VIEWS for entities in ENTITIES)
UNKNOWN: Final = (
    "DynamoDB Local and the stub are on the same machine: no network, no TLS, no request routers, no throttling.",
    "DynamoDB Local's own time is SQLite's under a JVM, not DynamoDB's; compare contestants, not stores.",
    "Two processes share two cores with the store, so a call's time by the clock holds waiting for a core.",
)

Results = dict[str, dict[Cell, dict[str, Result]]]


def run(options: argparse.Namespace, folder: Path) -> None:
    """Everything, store by store; written after each."""
    cells = QUICK if options.quick else FULL
    with (folder / "contestants.log").open("w") as log, open_dynamodb() as dynamodb:
        views = sorted({view for cell in cells for view in cell.view_names})
        fill(client(dynamodb), views)
        if set(options.contestants) & set(FEAST):
            subprocess.run(
                online.feast("fill", dynamodb, folder, *views), env=online.environment(), check=True, stderr=log
            )
        results: Results = {}
        for store in options.stores:
            with (
                open_stub(dynamodb) if store == "stub" else nullcontext(dynamodb) as endpoint,
                online.workers(options.contestants, endpoint, folder, log) as asked,
            ):
                results[store] = {}
                for cell in cells:
                    results[store][cell] = online.measure(asked, cell, options.rounds, options.seconds)
                    show(store, cell, results[store][cell])
            write(results, options.output)


def show(store: str, cell: Cell, results: Mapping[str, Result]) -> None:
    """One size's table."""
    title = f"{cell.entities} entities x {cell.views} views x {cell.features} features, {store}"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("contestant", no_wrap=True)
    for name in ("p50 ms", "p99 ms", "p99/p50", "cpu ms/call", "min..max", "/ floor", "/ asof", "calls", "rows wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, each in results.items():
        wrong = f"[red]WRONG: {each.wrong} of {cell.entities * each.sets}[/]" if each.wrong else "0"
        table.add_row(
            name,
            f"{each.p50.median:.3f}",
            f"{each.p99:.3f}",
            f"{each.p99 / each.p50.median:.1f}",
            f"{each.cpu.median:.3f}",
            f"{each.cpu.low:.3f}..{each.cpu.high:.3f}",
            *(ratio(each, results.get(other)) for other in ("floor", "asof")),
            f"{each.calls}",
            wrong,
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table, "")


def ratio(one: Result, other: Result | None) -> str:
    """Processor times' ratio."""
    return f"{one.cpu.median / other.cpu.median:.2f}" if other else ""


def write(results: Results, folder: Path) -> None:
    """JSON, and a plot of the stub's processor times."""
    found = [
        {"store": store, **dataclasses.asdict(cell), "contestant": name, **dataclasses.asdict(each)}
        for store, cells in results.items()
        for cell, contestants in cells.items()
        for name, each in contestants.items()
    ]
    packages = {"": ("boto3", "botocore", "urllib3"), "feast": ("feast", "boto3", "aiobotocore")}
    about = {"seed": SEED, "unit": "milliseconds per call", "what_this_cannot_tell": UNKNOWN, "measured": found}
    report.write_json("online_reads", about, packages, folder)
    if "stub" in results:
        groups = {
            f"{cell.entities} x {cell.views} views x {cell.features}": {name: each.cpu for name, each in row.items()}
            for cell, row in results["stub"].items()
            if cell.views == 2
        }
        plot.bars(folder / "online_reads.svg", "Processor time per lookup", groups, "ms", log=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    quick = "three sizes in a minute, instead of all in six"
    parser = command_line("online_reads", __doc__, quick=quick, epilog=NEEDS_JAVA)
    parser.add_argument("--rounds", type=int, default=5, help="measurements per contestant and size")
    parser.add_argument(
        "--seconds", type=float, default=0.12, help="a measurement's length; at least two calls are made"
    )
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--keep", type=Path, help="folder to leave contestants' own words in")
    return parsed(parser, given)


def main() -> None:
    """Measures, prints and writes."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as temporary:
        folder: Any = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run(options, folder)


if __name__ == "__main__":
    main()

"""How the window computation grows with its events, beside a join of each due row with the events in its windows.

Run: ``python -m benchmarks.windows [--quick]``. A year of hourly grid times, as a backfill computes it on DuckDB in
chunks of 31 days with bounded memory: the aggregation views of the example flights, and generated events (count, mean
and maximum over 1 hour, 24 hours and 30 days) of which one entity owns a tenth; of few entities with many events each,
and of many with few. The JSON is written after each size.

Up to ``JOINED_TO`` events the join takes its turn, and whole answers are compared before times count. Beyond, where the
join would take hours, it answers for one entity in ``SAMPLE``, and these are compared.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.support.arguments import command_line, parsed
from benchmarks.support.harness import Contestant, Limits, Outcome, RunFailedError, contest, run_once
from benchmarks.support.plot import Value, lines
from benchmarks.support.report import outcome_json, print_outcomes, write_json
from benchmarks.support.windows_data import flights, generate

_MODULE: Final = "benchmarks.support.windows_contestants"
CONTESTANTS: Final = (Contestant("asof", f"{_MODULE}:asof"), Contestant("range join", f"{_MODULE}:range_join"))
FULL: Final = (1_000_000, 10_000_000, 50_000_000)
QUICK: Final = (50_000, 100_000, 200_000)
ENTITIES: Final = 1_000
QUICK_ENTITIES: Final = 20
SPARSE: Final = (2_000_000, 100_000)
QUICK_SPARSE: Final = (200_000, 10_000)
"""Events, and entities that share them."""

JOINED_TO: Final = 2_000_000
SAMPLE: Final = 100


def run(title: str, task: dict[str, Any], events: int, runs: int, limits: Limits) -> list[Outcome]:
    """The outcomes over one source, printed."""
    print(f"\n{title}: {events:,} events", flush=True)
    contestants, only = (CONTESTANTS, None) if events <= JOINED_TO else (CONTESTANTS[:1], SAMPLE)
    compared = task | {"only": only}
    with tempfile.TemporaryDirectory(prefix="asof-windows-") as folder:
        expected = Path(folder) / "expected.parquet"
        try:
            run_once(CONTESTANTS[1], compared, limits, expected)
        except RunFailedError as error:
            raise SystemExit(f"there is nothing to compare with: the range join {error}") from error
        judge = partial(_wrong, expected)
        outcomes = contest(contestants, task | {"only": None}, judge, runs, limits, check=compared)
    print_outcomes(outcomes, 1)
    processor = outcomes[0].value("processor")
    if processor:
        print(f"  {processor.median / events * 1e6:.2f} us of processors per event")
    return outcomes


def _wrong(expected: Path, answer: Path) -> int:
    """1 where two digests differ."""
    return 0 if pq.read_table(expected).equals(pq.read_table(answer)) else 1


def main() -> None:
    """Measure, print, and write what was found."""
    given = arguments()
    runs = given.runs or (3 if given.quick else 5)
    limits = Limits(given.seconds, given.megabytes)
    report: dict[str, Any] = {}
    series: dict[str, list[tuple[float, Value]]] = {each.name: [] for each in CONTESTANTS}
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for view, (file, events) in flights(folder).items():
            if not given.quick or view == "carrier_punctuality":
                outcomes = run(f"flights, {view}", {"file": str(file), "view": view}, events, runs, limits)
                report[view] = {"events": events, "outcomes": [outcome_json(each) for each in outcomes]}
        entities = QUICK_ENTITIES if given.quick else ENTITIES
        sizes = [(events, entities) for events in (QUICK if given.quick else FULL)]
        for events, shared_by in (QUICK_SPARSE if given.quick else SPARSE, *sizes):
            task = {"file": str(generate(folder, events, shared_by)), "view": "levels"}
            title = "generated" if shared_by == entities else "generated, sparse"
            outcomes = run(title, task, events, runs, limits)
            report[f"{title} {events}"] = {"events": events, "outcomes": [outcome_json(each) for each in outcomes]}
            for each in outcomes:
                value = each.value("seconds")
                if value is not None and shared_by == entities:
                    series[each.contestant].append((events, value))
            write(given.output, report, series)


def write(folder: Path, report: dict[str, Any], series: Mapping[str, Sequence[tuple[float, Value]]]) -> None:
    """What is known so far: JSON, and a plot."""
    write_json("windows", report, {"": ("duckdb",)}, folder)
    points = {contestant: row for contestant, row in series.items() if row}
    if points:
        lines(folder / "windows.svg", "A year of hourly windows", points, "events", "seconds", log=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = command_line("windows", __doc__, quick="small sizes, three runs")
    parser.add_argument("--runs", type=int, help="per contestant and size; default 5")
    parser.add_argument("--seconds", type=float, default=900.0, help="limit of a run")
    parser.add_argument("--megabytes", type=int, default=12_000, help="limit of a run")
    parser.add_argument("--folder", type=Path, help="keep generated files here, and use those that are there")
    return parsed(parser)


if __name__ == "__main__":
    main()

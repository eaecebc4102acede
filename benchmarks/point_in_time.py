"""Point-in-time joins on one machine: Asof beside Feast, DuckDB's ASOF JOIN and Polars, over the same Parquet files.

Run: ``python -m benchmarks.point_in_time [--quick]``. Every run is a process of its own, from entity rows in memory and
cold code to the whole answer as an Arrow table; contestants take turns. All rows of every answer are compared with the
right ones before its time counts. The rule is Feast's (``event``), which all of them can answer, and once Asof's own
(``served``), beside ASOF JOINs that order by availability as one would write them. Only ratios within a run travel.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.support.arguments import command_line, parsed
from benchmarks.support.harness import Contestant, Limits, Outcome, contest
from benchmarks.support.plot import bars
from benchmarks.support.point_in_time_data import Data
from benchmarks.support.point_in_time_generate import generate
from benchmarks.support.point_in_time_oracle import wrong_rows
from benchmarks.support.report import outcome_json, print_outcomes, write_json

_MODULES: Final = "benchmarks.support.point_in_time_"
CONTESTANTS: Final = (
    Contestant("asof", f"{_MODULES}asof:asof"),
    Contestant("duckdb asof join", f"{_MODULES}asof:duckdb_asof"),
    Contestant("polars join_asof", f"{_MODULES}polars:join_asof", "polars"),
    Contestant("feast duckdb", f"{_MODULES}feast:on_duckdb", "feast"),
    Contestant("feast dask", f"{_MODULES}feast:on_dask", "feast"),
)
SERVED: Final = CONTESTANTS[:3]
PACKAGES: Final = {"": ("duckdb", "pyarrow", "numpy"), "polars": ("polars",), "feast": ("feast", "duckdb", "dask")}
MILLION: Final = 1_000_000
TTL_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Case:
    """A size, what it is called, and by which rule it is asked."""

    title: str
    data: Data
    as_of: str = "event"


def full(folder: Path, seed: int) -> Iterator[Case]:
    """The sizes of the full run."""
    small = Data(folder / "small", MILLION, 10_000, 2, ttl_days=TTL_DAYS, seed=seed)
    large = Data(folder / "large", 10 * MILLION, 100_000, 3, ttl_days=TTL_DAYS, seed=seed)
    yield Case("10k x 1M, 2 views, ttl", small)
    yield Case("100k x 10M, 3 views, ttl", large)
    yield Case("100k x 10M, 3 views, ttl, as served", large, "served")
    for per_entity in (1_000, 10_000):
        for ttl, words in ((TTL_DAYS, "ttl"), (0, "no ttl")):
            place = folder / f"long_{per_entity}_{ttl}"
            data = Data(place, 10 * MILLION, 100_000, 1, rows_per_entity=per_entity, ttl_days=ttl, seed=seed)
            yield Case(f"100k x 10M, {per_entity:,} rows per entity, {words}", data)
    yield Case(
        "100k x 10M, one entity owns a tenth", Data(folder / "owner", 10 * MILLION, 100_000, 1, owner=0.1, seed=seed)
    )


def quick(folder: Path, seed: int) -> Iterator[Case]:
    """Sizes of about a minute in all."""
    small = Data(folder / "small", 60_000, 1_000, 2, ttl_days=TTL_DAYS, seed=seed)
    yield Case("1k x 60k, 2 views, ttl", small)
    yield Case("1k x 60k, 2 views, ttl, as served", small, "served")
    yield Case(
        "2k x 200k, 1,000 rows per entity", Data(folder / "long", 200_000, 2_000, 1, rows_per_entity=1_000, seed=seed)
    )


def run(case: Case, contestants: Sequence[Contestant], runs: int, limits: Limits) -> list[Outcome]:
    """The outcomes of a size, printed."""
    generate(case.data)
    print(f"\n{case.title}", flush=True)
    judge = partial(wrong_rows, case.data, case.as_of)
    outcomes = contest(contestants, case.data.task(case.as_of), judge, runs, limits)
    print_outcomes(outcomes, case.data.entity_rows)
    return outcomes


def main() -> None:
    """Measure, print, and write what was found."""
    given = arguments()
    runs = given.runs or (3 if given.quick else 5)
    limits = Limits(given.seconds, given.megabytes)
    asked = [each for each in CONTESTANTS if each.name in given.contestants]
    results: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as temporary:
        folder = given.folder or Path(temporary)
        for case in (quick if given.quick else full)(folder, given.seed):
            taking_part = [each for each in asked if case.as_of == "event" or each in SERVED]
            groups[case.title] = run(case, taking_part, runs, limits)
            found = [outcome_json(each) for each in groups[case.title]]
            results[case.title] = {**case.data.task(case.as_of), "outcomes": found}
            del results[case.title]["data"]["folder"]
    write_json("point_in_time", results, PACKAGES, given.output)
    for measure, unit in (("seconds", "seconds"), ("megabytes", "peak MB")):
        values = {title: {_label(each): each.value(measure) for each in row} for title, row in groups.items()}
        bars(given.output / f"point_in_time_{measure}.svg", f"Point-in-time join: {unit}", values, unit, log=True)


def _label(outcome: Outcome) -> str:
    return f"{outcome.contestant} (wrong)" if outcome.wrong else outcome.contestant


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [each.name for each in CONTESTANTS]
    parser = command_line("point_in_time", __doc__, quick="small sizes, three runs")
    parser.add_argument("--runs", type=int, help="per contestant and size; default 5")
    parser.add_argument("--contestants", nargs="+", choices=names, default=names)
    parser.add_argument("--seconds", type=float, default=120.0, help="limit of a run")
    parser.add_argument("--megabytes", type=int, default=12_000, help="limit of a run")
    parser.add_argument("--folder", type=Path, help="keep generated files here, and use those that are there")
    parser.add_argument("--seed", type=int, default=1)
    return parsed(parser)


if __name__ == "__main__":
    main()

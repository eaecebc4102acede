"""Point-in-time joins over local Parquet: Asof against DuckDB's own ASOF JOIN, in time and in peak memory.

Run: ``python -m benchmarks.point_in_time``; ``--help`` lists the sizes. Every measurement is a process of its own, from
opening the files to the whole answer as an Arrow table; contestants take turns, and the table shows medians. Before an
answer's time counts, a sample of its rows is compared with a range join and a sort. Only ratios within one run are
worth comparing between machines, and on a busy one those of processor time and memory. DuckDB's plain ASOF JOIN
answers ``served`` wrongly where rows come late; it stays in the table, with its share of wrong rows, because its speed
is the bar.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.support.point_in_time_contestants import CONTESTANTS, AsOf, wrong_rows
from benchmarks.support.point_in_time_data import Data, generate

SAMPLE = 500
BAR = "asof_all_columns"


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of one contestant: seconds by the clock and of processors, peak resident megabytes.

    ``wrong`` is the share of the sampled rows that are wrong.
    """

    seconds: float
    processor: float
    megabytes: float
    wrong: float


def measure(data: Data, names: Sequence[str], as_of: AsOf, runs: int, threads: int) -> dict[str, Result]:
    """Each contestant's result over the same files."""
    wrong = {name: _process(data, name, as_of, threads, check=True)[0] / SAMPLE for name in names}
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            taken[name].append(_process(data, name, as_of, threads, check=False))
    results = {}
    for name in names:
        seconds, processor, megabytes = (statistics.median(each) for each in zip(*taken[name], strict=True))
        results[name] = Result(seconds, processor, megabytes, wrong[name])
    return results


def _process(data: Data, name: str, as_of: AsOf, threads: int, *, check: bool) -> list[float]:
    """Seconds, processor seconds and megabytes of a run in a process of its own; with ``check``, its wrong rows."""
    task = dataclasses.asdict(data) | {"folder": str(data.folder)}
    arguments = ["--worker", json.dumps({"data": task, "name": name, "as_of": as_of, "check": check})]
    command = [sys.executable, "-m", "benchmarks.point_in_time", "--threads", str(threads), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: list[float] = json.loads(done.stdout)
    return result


def work(task: str, threads: int) -> list[float]:
    """What a measuring process does."""
    given = json.loads(task)
    data = Data(**given["data"] | {"folder": Path(given["data"]["folder"])})
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {threads}")
        connection.execute("SET enable_progress_bar = false")
        start, processor = time.perf_counter(), time.process_time()
        answer = CONTESTANTS[given["name"]](connection, data, given["as_of"])
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
    if given["check"]:
        return [wrong_rows(answer, data, given["as_of"], SAMPLE)]
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return [seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6]


def compare(options: argparse.Namespace, folder: Path) -> None:
    """The comparison with DuckDB's ASOF JOIN, for each number of rows per entity and both rules."""
    for rows_per_entity in options.rows_per_entity:
        data = _data(options, folder / f"rows_per_entity_{rows_per_entity}", rows_per_entity=rows_per_entity)
        generate(data)
        print(f"\n{data.entity_rows:,} entity rows, {data.views} views, {data.rows:,} feature rows in total, ", end="")
        print(f"{data.features} features, {rows_per_entity:,} rows per entity, ttl {data.ttl_days or 'none'}")
        print(f"{'rule':8}{'contestant':20}", end="")
        print(*(f"{each:>9}{'ratio':>7}" for each in ("seconds", "cpu s", "MB")), f"{'wrong rows':>12}", sep="")
        for as_of in options.as_of:
            results = measure(data, options.contestants, as_of, options.runs, options.threads)
            bar = results.get(BAR)
            for name, result in results.items():
                print(f"{as_of:8}{name:20}", end="")
                for value in ("seconds", "processor", "megabytes"):
                    own = getattr(result, value)
                    ratio = f"{own / getattr(bar, value):.2f}" if bar else ""
                    print(f"{own:9.{0 if value == 'megabytes' else 2}f}{ratio:>7}", end="")
                print(f"{result.wrong:12.1%}", flush=True)


def grow(options: argparse.Namespace, folder: Path) -> None:
    """How time grows with size where one entity owns a tenth of all rows."""
    print(
        f"\nOne entity owns a tenth of all rows; ttl {options.ttl_days or 'none'}; 'per n log n' is 1.00 at the start"
    )
    print(f"{'rule':8}{'contestant':20}{'rows':>12}{'seconds':>9}{'per n log n':>12}{'MB':>8}{'wrong rows':>12}")
    first: dict[tuple[str, str], float] = {}
    for rows in (options.growth_rows // 2**step for step in (3, 2, 1, 0)):
        data = _data(
            options,
            folder / f"owner_{rows}",
            rows=rows,
            entity_rows=rows // 50,
            views=1,
            rows_per_entity=100,
            owner=0.1,
        )
        generate(data)
        for as_of in options.as_of:
            for name, result in measure(data, ("native", "athena"), as_of, options.runs, options.threads).items():
                unit = result.seconds / (rows * math.log2(rows))
                relative = unit / first.setdefault((as_of, name), unit)
                print(f"{as_of:8}{name:20}{rows:12,}{result.seconds:9.2f}{relative:12.2f}", end="")
                print(f"{result.megabytes:8.0f}{result.wrong:12.1%}", flush=True)


def _data(options: argparse.Namespace, folder: Path, **changes: float) -> Data:
    given = {field: getattr(options, field) for field in ("rows", "entity_rows", "views", "features", "late")}
    return Data(folder, **given | {"owner": 0.0, "ttl_days": options.ttl_days, "seed": options.seed} | changes)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.point_in_time", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="feature rows of all views together")
    parser.add_argument("--entity-rows", type=int, default=100_000)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--features", type=int, default=10, help="per view")
    parser.add_argument("--rows-per-entity", type=int, nargs="+", default=[100, 1_000, 10_000], metavar="N")
    parser.add_argument("--late", type=float, default=0.05, help="share of rows known up to a day after their event")
    parser.add_argument("--ttl-days", type=int, default=0, help="0 for none")
    parser.add_argument("--growth-rows", type=int, default=2_000_000, help="greatest size of the growth table; 0: none")
    parser.add_argument("--as-of", nargs="+", choices=("served", "event"), default=["served", "event"])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=["native", BAR, "asof_features"])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = arguments()
    if options.worker:
        print(json.dumps(work(options.worker, options.threads)))
        return
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as folder:
        if options.rows:
            compare(options, Path(folder))
        if options.growth_rows:
            grow(options, Path(folder))


if __name__ == "__main__":
    main()

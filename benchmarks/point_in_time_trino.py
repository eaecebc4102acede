"""Point-in-time joins on Trino, which Athena is made of: Asof's statement beside Feast's and SageMaker's.

Run: ``python -m benchmarks.point_in_time_trino [--quick]`` (needs Java 24). The peers' statements are rendered by
their own packages when it runs, and all are asked over the same tables. The rule is theirs (``event``); Asof's own
(``served``), which they cannot answer, stands beside it. Trino itself says what a statement took; ``needed`` is the
least that Trino can read for it. Every answer is compared with the right one in all rows; who is wrong or gives up is
not asked again. What is timed is a checksum over all columns, so that no client is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import trino.exceptions

from asof.local.server.local_server import LocalServer
from asof.offline.engine import join_sql
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest
from benchmarks.peers import environments
from benchmarks.support.arguments import command_line, parsed
from benchmarks.support.plot import Value, bars
from benchmarks.support.point_in_time_asof import USER, AsOf, view
from benchmarks.support.point_in_time_data import Data
from benchmarks.support.point_in_time_generate import generate
from benchmarks.support.point_in_time_lake import DATABASE, Lake, label_bounds, needed_bytes
from benchmarks.support.point_in_time_oracle import wrong_rows
from benchmarks.support.report import write_json
from tests.support.trino_engine import TrinoEngine
from tests.support.trino_server import CATALOG, trino_server

Measures = dict[str, float]
STATISTICS: Final = {
    "seconds": ("elapsedTimeMillis", 1e3),
    "processor": ("cpuTimeMillis", 1e3),
    "scanned_mb": ("physicalInputBytes", 1e6),
    "peak_mb": ("peakMemoryBytes", 1e6),
}
_RENDERERS: Final = {"feast": "point_in_time_text_feast", "sagemaker": "point_in_time_text_sagemaker"}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a contestant asks, and by which rule."""

    text: str
    as_of: AsOf = "event"


@dataclass(frozen=True, slots=True)
class Result:
    """What a contestant's runs took, by the names of ``STATISTICS``; how many rows were wrong; why it gave up."""

    runs: tuple[Measures, ...]
    wrong: int | None
    failure: str | None

    def value(self, of: str) -> Value | None:
        """Median and spread."""
        values = [run[of] for run in self.runs]
        return Value(statistics.median(values), min(values), max(values)) if values else None


def full(folder: Path, seed: int) -> Iterator[tuple[str, Data]]:
    """Histories from short to long, and one of which a ttl leaves a few days."""
    for per_entity in (10, 100, 1_000, 10_000):
        data = Data(folder / f"per_entity_{per_entity}", 2_000_000, 20_000, 1, rows_per_entity=per_entity, seed=seed)
        yield f"20k x 2M, {per_entity:,} rows per entity", data
    recent = Data(folder / "recent", 2_000_000, 20_000, 1, rows_per_entity=1_000, ttl_days=7, label_days=7, seed=seed)
    yield "20k x 2M, 1,000 rows per entity, labels of a week, ttl a week", recent


def quick(folder: Path, seed: int) -> Iterator[tuple[str, Data]]:
    """The same with fewer rows."""
    for per_entity in (10, 1_000):
        data = Data(folder / f"per_entity_{per_entity}", 200_000, 4_000, 1, rows_per_entity=per_entity, seed=seed)
        yield f"4k x 200k, {per_entity:,} rows per entity", data
    recent = Data(folder / "recent", 200_000, 4_000, 1, rows_per_entity=1_000, ttl_days=7, label_days=7, seed=seed)
    yield "4k x 200k, 1,000 rows per entity, labels of a week, ttl a week", recent


def statements(data: Data, table: str, bounds_ms: tuple[int, int]) -> dict[str, Statement]:
    """The contestants' statements; each answers with ``row_id`` and the features, under names of its own."""
    asked = data.task("event") | {"catalog": CATALOG, "database": DATABASE, "table": table}
    asked |= {"first": bounds_ms[0], "last": bounds_ms[1]}
    peers = {}
    for peer, module in _RENDERERS.items():
        command = (environments.python(peer), "-m", f"benchmarks.support.{module}")
        done = subprocess.run(
            command, input=json.dumps(asked), cwd=environments.ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{peer} rendered nothing:\n{done.stderr[-2000:]}")
        peers[peer] = Statement(done.stdout)
    own = {"asof": _asof(data, table, bounds_ms, "event"), "asof, served": _asof(data, table, bounds_ms, "served")}
    return own | peers


def _asof(data: Data, table: str, bounds_ms: tuple[int, int], as_of: AsOf) -> Statement:
    features = tuple((name, f"view0__{name}") for name in data.feature_names)
    request = PointInTimeRequest(
        entity_rows="entity_rows",
        row_id="row_id",
        label="event_timestamp",
        views=(ViewRequest(view(data, 0), USER, features, history=table),),
        as_of=as_of,
        label_bounds_ms=bounds_ms,
    )
    return Statement(join_sql(request, "athena"), as_of)


class Asker:
    """Asks Trino. ``limit_s`` is what a statement may take."""

    def __init__(self, engine: TrinoEngine, limit_s: int) -> None:
        self._engine = engine
        self._limit_s = limit_s

    def answer(self, text: str) -> tuple[list[str], list[Any], Measures]:
        """Columns, rows, and what it took; raises trino's errors."""
        cursor = self._engine.cursor(DATABASE)
        # Trino reads small files whole, which would hide what a statement leaves out.
        for name, value in {
            "query_max_run_time": f"{self._limit_s}s",
            f"{CATALOG}.parquet_small_file_threshold": "0B",
        }.items():
            cursor.execute(f"SET SESSION {name} = '{value}'")
            cursor.fetchall()
        cursor.execute(text)
        rows = cursor.fetchall()
        taken = {name: cursor.stats[key] / unit for name, (key, unit) in STATISTICS.items()}
        return [each[0] for each in cursor.description], rows, taken

    def contest(self, asked: Mapping[str, Statement], data: Data, runs: int) -> dict[str, Result]:
        """Each contestant's result; they take turns, those that were wrong or gave up excepted."""
        wrong: dict[str, int] = {}
        timed: dict[str, str] = {}
        failures: dict[str, str] = {}
        taken: dict[str, list[Measures]] = {name: [] for name in asked}
        for turn in range(runs + 1):
            for name, each in asked.items():
                if name in failures or wrong.get(name):
                    continue
                try:
                    if turn:
                        taken[name].append(self.answer(timed[name])[2])
                    else:
                        columns, rows, _ = self.answer(each.text)
                        wrong[name] = _wrong(columns, rows, data, each.as_of)
                        timed[name] = _checksum(each.text, columns)
                except trino.exceptions.TrinoQueryError as error:
                    failures[name] = str(error.message).splitlines()[0][:120]
        return {name: Result(tuple(taken[name]), wrong.get(name), failures.get(name)) for name in asked}


def _checksum(text: str, columns: Sequence[str]) -> str:
    """The statement with its rows reduced to one, which needs all of them."""
    sums = ", ".join(f'checksum("{each}")' for each in columns)
    return f"SELECT count(*), {sums} FROM (\n{text}\n) AS answer"


def _wrong(columns: list[str], rows: list[Any], data: Data, as_of: AsOf) -> int:
    """How many rows of an answer are wrong; features are its last columns, in their order."""
    places = [columns.index("row_id"), *range(len(columns) - len(data.feature_names), len(columns))]
    answer = {
        name: pa.array([row[place] for row in rows], kind)
        for place, (name, kind) in zip(places, _schema(data), strict=True)
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.parquet"
        pq.write_table(pa.table(answer), path)
        return wrong_rows(data, as_of, path)


def _schema(data: Data) -> list[tuple[str, pa.DataType]]:
    return [("row_id", pa.int64()), *((name, pa.float64()) for name in data.outputs)]


@contextmanager
def opened(heap: str) -> Iterator[tuple[TrinoEngine, Lake, str]]:
    """A Trino over a local cloud of its own, both gone afterwards; and the region."""
    with ExitStack() as stack:
        cloud = stack.enter_context(LocalServer())
        server = stack.enter_context(trino_server(cloud.endpoint, cloud.region, heap))
        engine = TrinoEngine(cloud, server)
        lake = Lake(engine.tables.client("s3"), engine.tables.client("glue"))
        lake.create(cloud.region)
        yield engine, lake, cloud.region


def show(title: str, results: Mapping[str, Result], needed_mb: Mapping[str, float], rows: int) -> None:
    """A table of one size."""
    print(f"\n{title}")
    columns = {"seconds": 9, "min..max": 15, "cpu s": 8, "ratio": 7, "scanned MB": 12, "needed MB": 11, "peak MB": 9}
    print(f"  {'contestant':12}", *(f"{name:>{width}}" for name, width in columns.items()), "  rows wrong", sep="")
    bar = results["asof"].value("processor")
    for name, result in results.items():
        found = {each: result.value(each) for each in STATISTICS}
        seconds, processor = found["seconds"], found["processor"]
        if seconds is None or processor is None:
            print(f"  {name:12} {result.failure or f'WRONG: {result.wrong:,} of {rows:,}; not timed'}", flush=True)
            continue
        ratio = f"{processor.median / bar.median:.2f}" if bar else ""
        print(f"  {name:12}{seconds.median:9.2f}{f'{seconds.low:.2f}..{seconds.high:.2f}':>15}", end="")
        print(f"{processor.median:8.2f}{ratio:>7}", end="")
        scanned, peak = ((found[each] or Value(0, 0, 0)).median for each in ("scanned_mb", "peak_mb"))
        print(f"{scanned:12.1f}{needed_mb[name]:11.1f}{peak:9.1f}  {result.wrong}", flush=True)


def main() -> None:
    """Measure, print, and write what was found."""
    given = arguments()
    runs = given.runs or (3 if given.quick else 5)
    report: dict[str, Any] = {}
    groups: dict[str, dict[str, Value | None]] = {}
    with opened(given.heap) as (engine, lake, _), tempfile.TemporaryDirectory(prefix="asof-benchmark-") as temporary:
        asker = Asker(engine, given.seconds)
        for number, (title, data) in enumerate(
            (quick if given.quick else full)(given.folder or Path(temporary), given.seed)
        ):
            generate(data)
            table, entity_rows = f"history_{number}", f"entity_rows_{number}"
            sizes = lake.history(data, table), lake.entity_rows(data, entity_rows)
            bounds_ms = label_bounds(data)
            asked = {
                name: replace(each, text=each.text.replace("entity_rows", entity_rows))
                for name, each in statements(data, table, bounds_ms).items()
            }
            results = asker.contest(asked, data, runs)
            needed = {name: needed_bytes(*sizes, data, bounds_ms, each.as_of) / 1e6 for name, each in asked.items()}
            show(title, results, needed, data.entity_rows)
            report[title] = {name: {"needed_mb": needed[name], **_json(each)} for name, each in results.items()}
            groups[title] = {name: each.value("processor") for name, each in results.items()}
    packages = {"": ("trino",), "feast": ("feast",), "sagemaker": ("sagemaker-mlops",)}
    write_json("point_in_time_trino", report, packages, given.output)
    place = given.output / "point_in_time_trino_cpu.svg"
    bars(place, "Point-in-time join on Trino: processor seconds", groups, "seconds", log=True)


def _json(result: Result) -> dict[str, Any]:
    measures = {}
    for each in STATISTICS:
        value = result.value(each)
        if value is not None:
            measures[each] = {"median": value.median, "low": value.low, "high": value.high}
    return {"runs": len(result.runs), "wrong_rows": result.wrong, "failure": result.failure, **measures}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = command_line("point_in_time_trino", __doc__, quick="small sizes, three runs")
    parser.add_argument("--runs", type=int, help="per contestant and size; default 5")
    parser.add_argument("--heap", default="6g", help="of Trino's Java; with less, the peers give up sooner; default 6g")
    parser.add_argument("--seconds", type=int, default=300, help="limit of a statement")
    parser.add_argument("--folder", type=Path, help="keep generated files here, and use those that are there")
    parser.add_argument("--seed", type=int, default=1)
    return parsed(parser)


if __name__ == "__main__":
    main()

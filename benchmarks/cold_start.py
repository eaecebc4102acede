"""Cold starts: from a fresh process to the first answer of a lookup, on a warm disk.

The online function's bundle, as it is deployed, beside boto3 making the one call that is needed and unpacking the same
bytes, and Feast's SDK. The store is a stub that replays answers recorded from DynamoDB Local, so it is never cold
itself. Every answer is checked.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from asof.manifest import Manifest
from asof.names import Environment
from benchmarks.peers import environments
from benchmarks.support import online_workers, plot, report
from benchmarks.support.arguments import NEEDS_JAVA, command_line, parsed
from benchmarks.support.online_contestants import ENTITY, feature_view, fill
from benchmarks.support.online_data import Cell, expected
from benchmarks.support.online_feast import repository
from benchmarks.support.plot import Value
from benchmarks.support.stub_server import open_stub
from infra.bundling import stage, without_queries
from tests.support.dynamodb_local import REGION, client, open_dynamodb

CELL: Final = Cell(entities=1, views=2, features=10)
USER: Final = 7
DEPLOYED: Final = Environment("bench", "123456789012", REGION)
UNKNOWN: Final = (
    "A fresh process on a warm disk: Lambda adds its sandbox's start, and reads the bundle from a cold one.",
    "The store is on the loopback, without TLS; each contestant would add the same handshake.",
)

_PROGRAM: Final = """
import time
begun = time.perf_counter()
{work}
import json, sys
first = (time.perf_counter() - begun) * 1e3
print(json.dumps({{"values": values, "work_ms": first, "cpu_ms": time.process_time() * 1e3}}), flush=True)
"""
_ASOF: Final = """
import sys
sys.path.insert(0, {folder!r})
import handler
answer = handler.handle({event!r}, None)
import json
values = [each["values"][0] for each in json.loads(answer["body"])["results"][1:]]
"""
_BOTO3: Final = """
import boto3, struct
client = boto3.client("dynamodb")
keys = [{{"pk": {{"S": "user#i:{user}"}}, "sk": {{"S": f"{{view}}@v1"}}}} for view in {views!r}]
found = client.batch_get_item(RequestItems={{{table!r}: {{"Keys": keys}}}})["Responses"][{table!r}]
items = {{item["sk"]["S"]: item["v"]["B"] for item in found}}
values = [value for view in {views!r} for value in struct.unpack_from("<ddddqddddq", items[f"{{view}}@v1"], 5)]
"""
_FEAST: Final = """
from feast import FeatureStore
answer = FeatureStore(repo_path={repository!r}).get_online_features({features!r}, {{"user_id": [{user}]}}).to_dict()
values = [answer[name.partition(":")[2]][0] for name in {features!r}]
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A contestant: an interpreter and what it is to do."""

    interpreter: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Milliseconds from the process's start to its answer, those within the program, and of processors."""

    start_to_answer: Value
    within: Value
    cpu: Value
    wrong: int


def programs(endpoint: str, folder: Path) -> dict[str, Program]:
    """The contestants, over one store."""
    bundle = folder / "bundle"
    bundle.mkdir()
    manifest = Manifest(entities=(ENTITY,), feature_views=tuple(map(feature_view, CELL.view_names)))
    stage("online", bundle, without_queries(manifest).to_json())
    body = json.dumps({"features": CELL.references, "entities": {"user_id": [USER]}})
    event = {"rawPath": "/get-online-features", "requestContext": {"http": {"method": "POST"}}, "body": body}
    asof = _ASOF.format(folder=str(bundle), event=event)
    boto3 = _BOTO3.format(user=USER, views=CELL.view_names, table=DEPLOYED.online_table)
    feast = _FEAST.format(repository=str(repository(endpoint, folder)), features=CELL.references, user=USER)
    return {
        "asof": Program(sys.executable, _PROGRAM.format(work=asof)),
        "boto3": Program(sys.executable, _PROGRAM.format(work=boto3)),
        "feast": Program(str(environments.python("feast")), _PROGRAM.format(work=feast)),
    }


def variables(endpoint: str, folder: Path) -> dict[str, str]:
    """What a deployed function finds in its environment, and where the store is."""
    return {
        **online_workers.environment(),
        "AWS_ENDPOINT_URL": endpoint,
        "ASOF_ENV": DEPLOYED.name,
        "ASOF_ACCOUNT": DEPLOYED.account,
        "ASOF_REGION": DEPLOYED.region,
        "LAMBDA_TASK_ROOT": str(folder / "bundle"),
        "PYTHONPATH": "",
    }


def started(program: Program, environment: Mapping[str, str]) -> tuple[float, dict[str, object]]:
    """Milliseconds to a fresh process's answer, and the answer; raises CalledProcessError."""
    begun = time.perf_counter()
    command = [program.interpreter, "-c", program.text]
    done = subprocess.run(command, env=dict(environment), check=True, capture_output=True, text=True)
    return (time.perf_counter() - begun) * 1e3, json.loads(done.stdout.splitlines()[-1])


def measure(endpoint: str, folder: Path, runs: int) -> dict[str, Result]:
    """All contestants in turns; a first start of each, which fills the disk's cache, does not count."""
    environment, contestants = variables(endpoint, folder), programs(endpoint, folder)
    taken: dict[str, list[tuple[float, dict[str, object]]]] = {}
    for run in range(runs + 1):
        for name, program in contestants.items():
            found = started(program, environment)
            if run:
                taken.setdefault(name, []).append(found)
    (wanted,) = expected(CELL, [USER])
    return {
        name: Result(
            start_to_answer=online_workers.value([each[0] for each in all_runs]),
            within=online_workers.value([float(str(each[1]["work_ms"])) for each in all_runs]),
            cpu=online_workers.value([float(str(each[1]["cpu_ms"])) for each in all_runs]),
            wrong=sum(each[1]["values"] != wanted for each in all_runs),
        )
        for name, all_runs in taken.items()
    }


def show(results: Mapping[str, Result]) -> None:
    """The table."""
    table = Table(title="From a fresh process to the first answer, ms", title_justify="left", box=None)
    table.add_column("contestant")
    for name in ("start to answer", "min..max", "/ boto3", "within the program", "cpu", "answers wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    boto3 = results["boto3"].start_to_answer.median
    for name, each in results.items():
        table.add_row(
            name,
            f"{each.start_to_answer.median:.0f}",
            f"{each.start_to_answer.low:.0f}..{each.start_to_answer.high:.0f}",
            f"{each.start_to_answer.median / boto3:.2f}",
            f"{each.within.median:.0f}",
            f"{each.cpu.median:.0f}",
            f"[red]WRONG: {each.wrong}[/]" if each.wrong else "0",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def write(results: Mapping[str, Result], folder: Path) -> None:
    """JSON, and a plot."""
    measured = {name: dataclasses.asdict(each) for name, each in results.items()}
    about = {"unit": "milliseconds", "what_this_cannot_tell": UNKNOWN, "measured": measured}
    report.write_json("cold_start", about, {"": ("boto3",), "feast": ("feast",)}, folder)
    groups = {"start to first answer": {name: each.start_to_answer for name, each in results.items()}}
    plot.bars(folder / "cold_start.svg", "Cold start", groups, "ms", log=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = command_line(
        "cold_start",
        __doc__,
        quick="seven fresh processes per contestant, instead of --runs",
        epilog=NEEDS_JAVA,
    )
    parser.add_argument("--runs", type=int, default=15, help="fresh processes per contestant")
    return parsed(parser, given)


def main() -> None:
    """Measures, prints and writes."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="asof-benchmark-") as name, open_dynamodb() as dynamodb:
        folder = Path(name)
        fill(client(dynamodb), CELL.view_names, DEPLOYED.online_table)
        filled = online_workers.feast("fill", dynamodb, folder, *CELL.view_names)
        subprocess.run(filled, env=online_workers.environment(), check=True, capture_output=True)
        with open_stub(dynamodb) as endpoint:
            results = measure(endpoint, folder, 7 if options.quick else options.runs)
        show(results)
        write(results, options.output)


if __name__ == "__main__":
    main()

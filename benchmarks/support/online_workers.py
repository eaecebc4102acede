"""The contestants' processes and what they answer: all alive at once, asked in turns, so a busy moment hits all."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import environments
from benchmarks.support.online_data import Cell
from benchmarks.support.plot import Value
from tests.support.dynamodb_local import KEYS, REGION

OWN: Final = ("asof", "floor", "hand-signed", "boto3")
FEAST: Final = {"feast": "sdk", "feast-server": "server"}
"""Feast's contestants, and how ``benchmarks.support.online_feast`` calls them."""

CONTESTANTS: Final = (*OWN, *FEAST)


def environment() -> dict[str, str]:
    """What every contestant's process finds in its environment."""
    own = {
        **KEYS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(environments.ROOT),
    }
    return {**os.environ, **own, "FEAST_USAGE": "False", "PYTHONWARNINGS": "ignore"}


def command(name: str, endpoint: str, folder: Path) -> list[str]:
    """How a contestant is started."""
    if name in OWN:
        return [sys.executable, "-m", "benchmarks.support.online_contestants", name, endpoint]
    return feast(FEAST[name], endpoint, folder)


def feast(what: str, endpoint: str, folder: Path, *views: str) -> list[str]:
    """Something of ``benchmarks.support.online_feast``, in Feast's own environment."""
    return [
        str(environments.python("feast")),
        "-m",
        "benchmarks.support.online_feast",
        what,
        endpoint,
        str(folder),
        *views,
    ]


class Worker:
    """One contestant's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **told: Any) -> Any:
        """Its answer; raises RuntimeError where it has ended."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("it was started without pipes")
        if told:
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contestant ended: {self._process.args!r}; its own words are above")
        return json.loads(line)


@contextmanager
def workers(names: Sequence[str], endpoint: str, folder: Path, log: Any) -> Iterator[dict[str, Worker]]:
    """A process per contestant, ready to be asked; they end with the block."""
    with ExitStack() as stack:
        started = {}
        for name in names:
            process = stack.enter_context(
                subprocess.Popen(
                    command(name, endpoint, folder),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment(),
                    cwd=environments.ROOT,
                )
            )
            started[name] = Worker(process)
            if process.stdin:
                stack.callback(process.stdin.close)
        for worker in started.values():
            worker.ask()
        yield started


@dataclass(frozen=True, slots=True)
class Result:
    """A contestant's rounds at one size: milliseconds by the clock and of processors per call.

    ``p99`` is over the calls of all rounds together. ``wrong`` counts rows of the ``sets`` of entities that were
    looked up, first to be checked and then to be timed.
    """

    p50: Value
    p99: float
    cpu: Value
    calls: int
    sets: int
    wrong: int


def measure(asked: Mapping[str, Worker], cell: Cell, rounds: int, seconds: float) -> dict[str, Result]:
    """Each contestant's result at one size; its answers are checked first."""
    where = astuple(cell)
    checked = {name: worker.ask(do="check", cell=where) for name, worker in asked.items()}
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, worker in asked.items():
            taken[name].append(worker.ask(do="time", cell=where, sets=checked[name]["sets"], seconds=seconds))
    return {name: result(each, **checked[name]) for name, each in taken.items()}


def result(rounds: Sequence[Mapping[str, Any]], sets: int, wrong: int) -> Result:
    """Medians of rounds, with their spread."""
    calls = sorted(ms for each in rounds for ms in each["wall_ms"])
    middles = [statistics.median(each["wall_ms"]) for each in rounds]
    return Result(
        p50=value(middles),
        p99=calls[int(0.99 * len(calls))],
        cpu=value([each["cpu_ms"] for each in rounds]),
        calls=len(calls),
        sets=sets,
        wrong=wrong,
    )


def value(numbers: Sequence[float]) -> Value:
    """Their median, least and greatest."""
    return Value(statistics.median(numbers), min(numbers), max(numbers))

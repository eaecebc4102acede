"""Contestants as data, each run in fresh processes under limits of time and memory, its answer checked before its time.

A contestant is a function of a task (JSON) that returns what is to be measured: preparing (imports, repositories,
entity rows in memory) is not timed, running is. It lives in the environment of its peer.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import environments
from benchmarks.support.plot import Value

Task = dict[str, Any]
HOPELESS: Final = 20
_POLL_SECONDS: Final = 0.05
_LAST_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part: ``function`` is ``module:name``, run in the environment of ``peer`` (None: in this one)."""

    name: str
    function: str
    peer: str | None = None

    @property
    def interpreter(self) -> Path:
        """The Python it runs in."""
        return environments.python(self.peer) if self.peer else Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take. Where the system has no ``/proc``, memory is not limited."""

    seconds: float = 120.0
    megabytes: int = 12_000


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds by the clock and of processors, peak resident megabytes, and those beyond what was there before."""

    seconds: float
    processor: float
    megabytes: float
    added: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a contestant: its ``runs``, and how many rows were ``wrong``; or why there is nothing to tell."""

    contestant: str
    runs: tuple[Run, ...] = ()
    wrong: int | None = None
    failure: str | None = None

    def value(self, of: str) -> Value | None:
        """Median and spread of one of ``Run``'s fields; None where there are no runs."""
        values = [float(getattr(run, of)) for run in self.runs]
        return Value(statistics.median(values), min(values), max(values)) if values else None


class RunFailedError(Exception):
    """A run that gave no answer; its text says why, for a table."""


@dataclass
class _State:
    runs: list[Run] = field(default_factory=list)
    wrong: int | None = None
    failure: str | None = None


def contest(
    contestants: Sequence[Contestant],
    task: Task,
    wrong_rows: Callable[[Path], int],
    runs: int,
    limits: Limits,
    *,
    check: Task | None = None,
) -> list[Outcome]:
    """Each contestant's outcome over one task. They take turns, so that a busy moment of the machine hits all of them.

    A first run, which does not count, gives the answer that ``wrong_rows`` judges (a Parquet file); it is of the task
    ``check``, where that is another. One that is wrong, or ``HOPELESS`` times as slow as the fastest right one, is
    measured once: more runs of it would tell nothing and take most of the time.
    """
    states = {each: _State() for each in contestants}
    with tempfile.TemporaryDirectory(prefix="asof-answers-") as folder:
        for each, state in states.items():
            answer = Path(folder) / "answer.parquet"
            try:
                run_once(each, check or task, limits, answer)
                state.wrong = wrong_rows(answer)
            except RunFailedError as error:
                state.failure = str(error)
    for turn in range(runs):
        bar = min((run.seconds for each in states.values() if not each.wrong for run in each.runs), default=0.0)
        for each, state in states.items():
            if state.failure is None and not (turn and _settled(state, bar)):
                try:
                    state.runs.append(run_once(each, task, limits))
                except RunFailedError as error:
                    state.failure = str(error)
    return [Outcome(each.name, tuple(state.runs), state.wrong, state.failure) for each, state in states.items()]


def _settled(state: _State, bar: float) -> bool:
    """Whether one run says enough; ``bar`` are the seconds of the fastest right run."""
    return bool(state.wrong) or any(run.seconds > HOPELESS * bar for run in state.runs)


def run_once(contestant: Contestant, task: Task, limits: Limits, answer: Path | None = None) -> Run:
    """One run in a process of its own; its answer goes to ``answer`` as Parquet. Raises RunFailedError."""
    with tempfile.TemporaryDirectory(prefix="asof-run-") as folder:
        result = Path(folder) / "result.json"
        asked = {"function": contestant.function, "task": task, "answer": answer and str(answer), "result": str(result)}
        (Path(folder) / "asked.json").write_text(json.dumps(asked))
        with (Path(folder) / "asked.json").open() as given, (Path(folder) / "said.txt").open("w+") as said:
            process = subprocess.Popen(
                [contestant.interpreter, "-m", "benchmarks.support.measure"],
                cwd=environments.ROOT,
                stdin=given,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            _guard(process, limits)
            if process.returncode or not result.exists():
                said.seek(0)
                lines = [each for each in said.read().splitlines() if "Error" in each]
                raise RunFailedError(
                    f"failed: {lines[-1][:_LAST_LINE]}" if lines else f"failed: exit status {process.returncode}"
                )
        return Run(**json.loads(result.read_text()))


def _guard(process: subprocess.Popen[bytes], limits: Limits) -> None:
    """Wait for the process; end it and raise RunFailedError where it passes a limit."""
    deadline = time.monotonic() + limits.seconds
    problem = None
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        if time.monotonic() > deadline:
            problem = f"over {limits.seconds:g} s"
        elif _megabytes(process.pid) > limits.megabytes:
            problem = f"out of memory at {limits.megabytes:,} MB"
        if problem:
            process.kill()
            process.wait()
            raise RunFailedError(problem)


def _megabytes(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0  # ended meanwhile, or a system without /proc
    return pages * 4096 / 1e6

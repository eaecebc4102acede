"""A contestant's process: told by lines of JSON what to look up, it answers how long that took. Standard library only.

``{"do": "check", "cell": [1, 2, 10]}`` is answered by how many sets of entities were looked up and how many of their
rows were wrong, ``{"do": "time", "cell": ..., "sets": 10, "seconds": 0.2}`` by every call's milliseconds and the
processor time per call; only sets that were checked are timed.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from benchmarks.support.online_data import Cell, entity_sets, wrong_rows

FEWEST_CALLS: Final = 2
"""Of a measurement, however long one takes; a call that does not count goes before."""

CHECK_S: Final = 1.0
"""After which no further set of entities is checked; where a call takes a second, only one is."""

Lookup = Callable[[list[int]], Any]


class Contestant(Protocol):
    """A way of looking features up."""

    def prepare(self, cell: Cell) -> Lookup:
        """The call that is timed, from users to an answer that the program can use."""
        ...

    def rows(self, cell: Cell, answer: Any, /) -> Sequence[Sequence[Any]]:
        """An answer as values of ``cell.references``, one row per user; not timed."""
        ...

    def processor_s(self) -> float:
        """Processor time so far of everything that works for this contestant, the store aside."""
        ...


def check(contestant: Contestant, cell: Cell) -> dict[str, int]:
    """How many sets were looked up and how many of their rows are wrong; this also records the stub's answers."""
    lookup, wrong, checked = contestant.prepare(cell), 0, 0
    end = time.perf_counter() + CHECK_S
    for users in entity_sets(cell):
        wrong += wrong_rows(cell, users, contestant.rows(cell, lookup(users)))
        checked += 1
        if time.perf_counter() > end:
            break
    return {"sets": checked, "wrong": wrong}


def timed(contestant: Contestant, cell: Cell, count: int, seconds: float) -> dict[str, Any]:
    """Each call's milliseconds over the first sets, and the processor's per call; garbage is collected as always."""
    lookup, sets = contestant.prepare(cell), entity_sets(cell)[:count]
    lookup(sets[0])
    gc.collect()
    taken: list[float] = []
    processor = contestant.processor_s()
    end = time.perf_counter() + seconds
    while len(taken) < FEWEST_CALLS or time.perf_counter() < end:
        users = sets[len(taken) % len(sets)]
        start = time.perf_counter()
        lookup(users)
        taken.append((time.perf_counter() - start) * 1e3)
    return {"wall_ms": taken, "cpu_ms": (contestant.processor_s() - processor) / len(taken) * 1e3}


def serve(contestant: Contestant) -> None:
    """Do as told, line by line, until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        cell = Cell(*told["cell"])
        done: Any = (
            check(contestant, cell) if told["do"] == "check" else timed(contestant, cell, told["sets"], told["seconds"])
        )
        print(json.dumps(done), file=answers, flush=True)

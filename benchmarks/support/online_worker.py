"""A contestant's process: told by lines of JSON what to look up, it answers how long that took. Standard library only.

``{"do": "check", "cell": [1, 2, 10]}`` is answered by how many rows were wrong, ``{"do": "time", "cell": ...,
"seconds": 0.2}`` by every call's milliseconds and the processor time per call.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from benchmarks.support.online_data import Cell, entity_sets, wrong_rows

FEWEST_CALLS: Final = 4

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


def wrong(contestant: Contestant, cell: Cell) -> int:
    """How many rows of all the sets are wrong; this also records the stub's answers."""
    lookup = contestant.prepare(cell)
    return sum(wrong_rows(cell, users, contestant.rows(cell, lookup(users))) for users in entity_sets(cell))


def timed(contestant: Contestant, cell: Cell, seconds: float) -> dict[str, Any]:
    """Each call's milliseconds, and the processor's per call; garbage is collected as it always is."""
    lookup, sets = contestant.prepare(cell), entity_sets(cell)
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
        done: Any = wrong(contestant, cell) if told["do"] == "check" else timed(contestant, cell, told["seconds"])
        print(json.dumps(done), file=answers, flush=True)

"""What a measuring process does: prepare a contestant, run it once, and say what that took. Standard library only.

It runs in the contestant's own environment: ``python -m benchmarks.support.measure``, a task as JSON on stdin
(``function``, ``task``, ``answer``), the result as JSON in the file ``result``.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Prepared = Callable[[], Any]
"""What is measured: it returns an Arrow table."""

_STATUS: Final = Path("/proc/self/status")
_RESET_PEAK: Final = "5"
_PER_KILOBYTE: Final = 1024 / 1e6


def measured(run: Prepared) -> tuple[Any, dict[str, float]]:
    """What ``run`` returns, with its seconds, processor seconds (children's too) and peak resident megabytes.

    ``added`` are the megabytes beyond what the process held before, which is libraries and prepared inputs.
    """
    before = _start_peak()
    processor, start = _processor(), time.perf_counter()
    answer = run()
    seconds = time.perf_counter() - start
    peak = _peak()
    taken = {"seconds": seconds, "processor": _processor() - processor, "megabytes": peak, "added": peak - before}
    return answer, taken


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _start_peak() -> float:
    """Forget the peak so far, where the system can (Linux); the megabytes held now."""
    if not _STATUS.exists():
        return _peak()
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    return _held("VmRSS")


def _peak() -> float:
    if _STATUS.exists():
        return _held("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * _PER_KILOBYTE


def _held(what: str) -> float:
    line = next(each for each in _STATUS.read_text().splitlines() if each.startswith(f"{what}:"))
    return int(line.split()[1]) * _PER_KILOBYTE


def main() -> None:
    """Run what stdin asks for."""
    asked = json.load(sys.stdin)
    module, _, name = asked["function"].partition(":")
    prepare: Callable[[Any], Prepared] = getattr(importlib.import_module(module), name)
    answer, taken = measured(prepare(asked["task"]))
    if asked["answer"]:
        importlib.import_module("pyarrow.parquet").write_table(answer, asked["answer"])
    Path(asked["result"]).write_text(json.dumps(taken))


if __name__ == "__main__":
    main()

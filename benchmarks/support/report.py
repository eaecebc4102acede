"""What a benchmark leaves behind: a table on the terminal, and JSON with the machine and the versions beside it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import environments
from benchmarks.support.harness import Outcome

FOLDER: Final = environments.ROOT / "docs" / "benchmarks"
_DIGITS: Final = 4
_GIB: Final = 2**30


def print_outcomes(outcomes: Sequence[Outcome], rows: int) -> None:
    """A table of one task's outcomes; ratios are to the first contestant, and a wrong answer says so."""
    columns = {"seconds": 9, "min..max": 15, "ratio": 7, "cpu s": 8, "peak MB": 9, "added MB": 9}
    print(f"  {'contestant':20}", *(f"{name:>{width}}" for name, width in columns.items()), "  rows wrong", sep="")
    bar = outcomes[0].value("seconds")
    for each in outcomes:
        seconds, cpu = each.value("seconds"), each.value("processor")
        peak, added = each.value("megabytes"), each.value("added")
        if seconds is None or cpu is None or peak is None or added is None:
            print(f"  {each.contestant:20} {each.failure}")
            continue
        spread = f"{seconds.low:.2f}..{seconds.high:.2f}"
        ratio = f"{seconds.median / bar.median:.2f}" if bar else ""
        print(f"  {each.contestant:20}{seconds.median:9.3f}{spread:>15}{ratio:>7}{cpu.median:8.2f}", end="")
        fewer = " (1 run)" if len(each.runs) == 1 < max(len(other.runs) for other in outcomes) else ""
        print(f"{peak.median:9.0f}{added.median:9.0f}  {verdict(each, rows)}{fewer}", flush=True)


def verdict(outcome: Outcome, rows: int) -> str:
    """What the check found, in words, and why runs are missing if some are."""
    found = "0" if not outcome.wrong else f"WRONG: {outcome.wrong:,} of {rows:,}"
    return found if outcome.failure is None else f"{found}; then {outcome.failure}"


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome with rounded numbers: median, least and greatest of each measure."""
    measures = {}
    for name in ("seconds", "processor", "megabytes", "added"):
        value = outcome.value(name)
        if value is not None:
            measures[name] = {key: round(number, _DIGITS) for key, number in dataclasses.asdict(value).items()}
    return {
        "contestant": outcome.contestant,
        "runs": len(outcome.runs),
        "wrong_rows": outcome.wrong,
        "failure": outcome.failure,
        **measures,
    }


def write_json(name: str, results: Any, packages: Mapping[str, Iterable[str]], folder: Path = FOLDER) -> Path:
    """``<folder>/<name>.json``: the results, the machine, and versions of ``packages`` by peer ('' is this Python)."""
    versions = {peer or "asof": _versions(peer, tuple(each)) for peer, each in packages.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "versions": versions, "results": results}, indent=1) + "\n")
    return path


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / _GIB, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions(peer: str, packages: Sequence[str]) -> dict[str, str]:
    if not peer:
        return {each: importlib.metadata.version(each) for each in packages}
    code = (
        "import importlib.metadata as m, json, sys; print(json.dumps({each: m.version(each) for each in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [environments.python(peer), "-c", code, *packages], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found

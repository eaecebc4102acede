"""Plots as small SVG files, drawn by matplotlib in the environment of the peer ``plot``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peers import environments


@dataclass(frozen=True, slots=True)
class Value:
    """A median with the least and the greatest of what was measured."""

    median: float
    low: float
    high: float


def bars(path: Path, title: str, groups: Mapping[str, Mapping[str, Value | None]], unit: str, *, log: bool) -> None:
    """Horizontal bars: per group (a size, say) one bar per name, with its spread; None is written as "no result".

    All groups share one scale of ``unit``, logarithmic with ``log``. A name has one colour in all of them.
    """
    values = {group: {k: v and asdict(v) for k, v in row.items()} for group, row in groups.items()}
    _draw(path, {"kind": "bars", "title": title, "groups": values, "unit": unit, "log": log})


def lines(
    path: Path, title: str, series: Mapping[str, Sequence[tuple[float, Value]]], x: str, unit: str, *, log: bool
) -> None:
    """A line per name through its points ``(x, value)``, with their spread; ``log`` is for both axes."""
    points = {name: [(place, asdict(value)) for place, value in row] for name, row in series.items()}
    _draw(path, {"kind": "lines", "title": title, "series": points, "x": x, "unit": unit, "log": log})


def _draw(path: Path, what: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [environments.python("plot"), Path(__file__).with_name("plot_draw.py"), path]
    subprocess.run(command, input=json.dumps(what), text=True, check=True)

"""Draws what ``plot.py`` asks for, in an environment that has matplotlib: specification on stdin, path as argument."""

# matplotlib is not in the environment in which types are checked, hence Any.
from __future__ import annotations

import importlib
import json
import sys
from typing import Any

_HIGH_PER_BAR = 0.24
_COLOURS = ("#1b6ca8", "#e08e45", "#5b9a68", "#b2506f", "#7d6bb0", "#8a8a8a", "#c9a227", "#4aa3a2")


def main() -> None:
    """Draw and write; the same specification gives the same bytes."""
    what = json.load(sys.stdin)
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "asof", "font.size": 9})
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure = {"bars": _bars, "lines": _lines}[what["kind"]](pyplot, what)
    figure.savefig(sys.argv[1], metadata={"Date": None, "Creator": None}, bbox_inches="tight")


def _bars(pyplot: Any, what: dict[str, Any]) -> Any:
    names = list(dict.fromkeys(name for row in what["groups"].values() for name in row))
    count = sum(len(row) + 1 for row in what["groups"].values())
    figure, axes = pyplot.subplots(figsize=(7.5, 0.9 + count * _HIGH_PER_BAR))
    present = [value["median"] for row in what["groups"].values() for value in row.values() if value]
    start = min(present, default=1.0) / 2 if what["log"] else 0.0
    ticks, labels, y = [], [], 0.0
    for group, row in what["groups"].items():
        ticks.append(y + (len(row) - 1) / 2)
        labels.append(group)
        for name, value in row.items():
            if value is None:
                axes.text(start, y, f" {name}: no result", va="center", color="#a33", fontsize=7)
            else:
                colour = _COLOURS[names.index(name) % len(_COLOURS)]
                axes.barh(y, value["median"] - start, left=start, height=0.8, color=colour)
                axes.plot([value["low"], value["high"]], [y, y], color="black", linewidth=0.8)
                axes.text(max(value["high"], start), y, f"  {name} {value['median']:.3g}", va="center", fontsize=7)
            y += 1
        y += 1
    if what["log"]:
        axes.set_xscale("log")
        axes.set_xlim(start, max(present, default=1.0) * 8)
    else:
        axes.set_xlim(0, max(present, default=1.0) * 1.35)
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    return _dressed(figure, axes, what["title"], x=what["unit"])


def _lines(pyplot: Any, what: dict[str, Any]) -> Any:
    figure, axes = pyplot.subplots(figsize=(6.5, 3.8))
    for place, (name, points) in enumerate(what["series"].items()):
        colour = _COLOURS[place % len(_COLOURS)]
        xs = [x for x, _ in points]
        axes.plot(xs, [value["median"] for _, value in points], marker="o", markersize=3, label=name, color=colour)
        low, high = ([value[each] for _, value in points] for each in ("low", "high"))
        axes.fill_between(xs, low, high, color=colour, alpha=0.2, linewidth=0)
    if what["log"]:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    axes.set_ylabel(what["unit"])
    return _dressed(figure, axes, what["title"], x=what["x"])


def _dressed(figure: Any, axes: Any, title: str, x: str) -> Any:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)
    return figure


if __name__ == "__main__":
    main()

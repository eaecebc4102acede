"""How the demos look: one line per stage with its seconds, and on a terminal what a stage is at while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

# 80 columns are enough; without a terminal rich would guess, and fold lines.
console: Final = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
_INDENT: Final = " " * 10


class Stage:
    """A stage at work: ``did`` is told when it is over, ``at`` while it lasts."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None, what="")
        self.told: list[str] = []

    def did(self, text: str) -> None:
        """Something to be told when the stage is over."""
        self.told.append(text)

    def at(self, what: str, done: int | None = None, total: int | None = None) -> None:
        """What is happening now, and how much of how much is done where that is known."""
        self._progress.update(self._task, what=what, completed=done, total=total)


@contextmanager
def stage(title: str) -> Iterator[Stage]:
    """Show a stage while the block runs; then print one line with its seconds, which without a terminal is all."""
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description:<14}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[what]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        TimeElapsedColumn(),
    )
    began = time.perf_counter()
    with Progress(*columns, console=console, transient=True, expand=True, disable=not console.is_terminal) as progress:
        at_work = Stage(progress, title)
        yield at_work
    told = "; ".join(at_work.told)
    console.print(f"[bold green]{time.perf_counter() - began:6.1f} s[/]  [bold]{title:<14}[/]{told}")


def compared(
    rows: Sequence[str],
    shown: Sequence[str],
    served: Mapping[str, Sequence[Any]],
    trained: Mapping[str, Sequence[Any]],
) -> Table:
    """Served and trained values side by side: a line per name in ``rows``, a column per feature in ``shown``."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{_INDENT}served = trained", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        table.add_row(_INDENT + row, *(f"{_cell(served[name][i])} = {_cell(trained[name][i])}" for name in shown))
    return table


def try_next(commands: Mapping[str, str]) -> None:
    """Commands to go on with, and what each is for."""
    width = max(map(len, commands)) + 2
    for command, purpose in commands.items():
        console.print(f"  [cyan]{command:<{width}}[/]{purpose}")


def _cell(value: Any) -> str:
    """A value, short."""
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

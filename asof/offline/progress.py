"""Progress of long work: a callable that is told what happens and how much of it is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Something that is told of each step."""

    def __call__(self, what: str, done: float | None, /) -> None:
        """Take note of what happens now, and of the part done: in [0, 1], or None where that is unknown."""
        ...


def silent(_what: str, _done: float | None, /) -> None:
    """The progress of a script, a test, a log file: nothing is shown."""


@contextmanager
def default_progress() -> Iterator[Progress]:
    """A bar while somebody looks at a terminal or a notebook, silence otherwise; gone when the work is over."""
    # rich is a tenth of a second to import, as long as a small join takes: only where somebody may look.
    if not (sys.stderr.isatty() or "FORCE_COLOR" in os.environ or "IPython" in sys.modules):
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield silent
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def show(what: str, done: float | None, /) -> None:
            bars.update(task, description=what, total=None if done is None else 1.0, completed=done or 0.0)

        yield show

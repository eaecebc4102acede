"""How the examples print: one line per stage, with its seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

# 80 columns are enough; without a terminal rich would guess, and fold lines.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)


@contextmanager
def stage(title: str) -> Iterator[list[str]]:
    """Print a stage with its time when it is over; the block appends what it did."""
    did: list[str] = []
    began = time.perf_counter()
    with console.status(f"{title} ..."):
        yield did
    console.print(f"[bold green]{time.perf_counter() - began:6.1f} s[/]  [bold]{title:<14}[/]{'; '.join(did)}")


def cell(value: Any) -> str:
    """A value, short."""
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

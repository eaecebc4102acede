"""Contestants for the harness's tests: what a run may be, good and bad."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from benchmarks.support.measure import Prepared

HELD: list[bytearray] = []


def answering(task: dict[str, Any]) -> Prepared:
    """Gives the task's rows."""
    return lambda: pa.table({"row": task["rows"]})


def lasting(_task: dict[str, Any]) -> Prepared:
    """Never ends."""

    def run() -> None:
        while True:
            time.sleep(1)

    return run


def growing(_task: dict[str, Any]) -> Prepared:
    """Takes memory, ten megabytes at a time, without end."""

    def run() -> None:
        while True:
            HELD.append(bytearray(b"x" * 10_000_000))
            time.sleep(0.01)

    return run


def failing(_task: dict[str, Any]) -> Prepared:
    """Raises."""

    def run() -> None:
        raise LookupError("nothing there")

    return run

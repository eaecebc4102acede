"""How a demo ends: told to stop it takes everything down first, and its exit code says how it went."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from asof.errors import AsofError
from examples.flights.printing import console

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_held() -> Iterator[None]:
    """Let what a signal would interrupt here come to its end first. Other threads than the main one get none anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: caught.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if caught:
            signal.raise_signal(caught[0])


def ended(demo: Callable[[], bool]) -> int:
    """Run a demo; 0 where it says that all was as it should be, 1 where not or where it failed, 128 + n by signal n.

    The first SIGINT, SIGTERM or SIGHUP unwinds what the demo has started; further ones wait until that is done.
    """
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            sys.exit(128 + number)

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        return 0 if demo() else 1
    except AsofError as error:
        console.print(f"\n{type(error).__name__}: {error}", style="red", markup=False)
        return 1
    except SystemExit:
        console.print("\nstopped; nothing is left running")
        raise

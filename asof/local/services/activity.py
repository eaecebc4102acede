"""What is at work right now, so that time is skipped only when everything has come to rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from asof.local.services.virtual_clock import VirtualClock

_LOOK_SECONDS: Final = 0.005


class Activity:
    """Counts work at hand. ``waiting`` tells of work that only waits for time to pass."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._working = 0
        self._wakes: list[int] = []
        self._long: list[Callable[[], bool]] = []
        self.woken = time.monotonic()
        """When, by the machine's monotonic clock, somebody last went on after waiting."""

    def watch(self, resting: Callable[[], bool]) -> None:
        """Let something say by itself whether it is at rest."""
        self._long.append(resting)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Something is at work while inside."""
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1

    def sleep(self, seconds: float, going_on: Callable[[], bool] = lambda: True) -> None:
        """Wait until so much of the local cloud's time has passed, or ``going_on`` says that nobody waits any more."""
        wake_ms = self._clock.now_ms() + int(seconds * 1_000)
        with self._lock:
            self._wakes.append(wake_ms)
        try:
            while (left_ms := wake_ms - self._clock.now_ms()) > 0 and going_on():
                with self._clock.moved:
                    self._clock.moved.wait(min(left_ms / 1_000, 1.0))
        finally:
            with self._lock:
                self._wakes.remove(wake_ms)
                self.woken = time.monotonic()

    def _overslept(self) -> bool:
        """Whether somebody is to go on now and has not noticed yet."""
        now_ms = self._clock.now_ms()
        with self._lock:
            return any(wake_ms <= now_ms for wake_ms in self._wakes)

    @property
    def waiting(self) -> int:
        """How many wait for time to pass."""
        return len(self._wakes)

    def next_ms(self, after_ms: int) -> int | None:
        """When the first of those who wait will go on: an instant the clock must not jump over."""
        with self._lock:
            return min((max(wake, after_ms + 1) for wake in self._wakes), default=None)

    def fire(self, at_ms: int) -> None:
        """Nothing to do: whoever waits sees the clock."""

    def settle(self, patience_seconds: float) -> bool:
        """Wait until nothing is at work; False where that takes longer than ``patience_seconds``.

        Whatever starts work is itself at work until that has begun, so one look is enough.
        """
        deadline = time.monotonic() + patience_seconds
        while self._working or self._overslept() or not all(resting() for resting in self._long):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

"""What happens when: schedules, alarms, retries and waits, in order of time, as the clock runs or is moved."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from asof.clock import iso
from asof.local.services.virtual_clock import VirtualClock

TICK_SECONDS: Final = 0.5
"""How often, in real time, it is looked whether something is due."""


_log = logging.getLogger(__name__)


class Source(Protocol):
    """Something that happens again and again."""

    def next_ms(self, after_ms: int) -> int | None:
        """The first instant after the given one at which something is due, or None."""
        ...

    def fire(self, at_ms: int) -> None:
        """Do what is due at that instant."""
        ...


class Timeline:
    """Fires sources and single actions in order. ``settle`` waits until what was started has come to rest."""

    def __init__(self, clock: VirtualClock, settle: Callable[[float], bool]) -> None:
        self.clock = clock
        self._settle = settle
        self._sources: list[Source] = []
        self._single: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._done_ms = clock.now_ms()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, source: Source) -> None:
        """Let a source take part."""
        self._sources.append(source)

    def at(self, due_ms: int, action: Callable[[], None]) -> None:
        """Do something once, at an instant."""
        heapq.heappush(self._single, (due_ms, next(self._numbers), action))

    def kept(self) -> list[tuple[int, Callable[[], None]]]:
        """The single actions that are still to be done, to be kept."""
        with self._lock:
            return [(due_ms, action) for due_ms, _, action in sorted(self._single, key=lambda each: each[:2])]

    def restore(self, kept: list[tuple[int, Callable[[], None]]]) -> None:
        """Take the actions that were kept; what was due before now is done now."""
        self._done_ms = self.clock.now_ms()
        for due_ms, action in kept:
            self.at(due_ms, action)

    def start(self) -> None:
        """Begin to fire what is due as time passes."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="asof-timeline")
        self._thread.start()

    def stop(self) -> None:
        """Fire nothing any more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def advance(self, by_ms: int, patience_seconds: float) -> bool:
        """Move the clock, firing on the way what is due, each at its time and after what came before has settled.

        Returns whether everything came to rest within ``patience_seconds`` of real time per instant.
        """
        with self._lock:
            settled = self._settle(patience_seconds)
            target = self.clock.now_ms() + by_ms
            while (due := self._next(target)) is not None:
                self.clock.move_to(due)
                self._fire(due)
                settled = self._settle(patience_seconds) and settled
            self.clock.move_to(target)
            self._done_ms = max(self._done_ms, target)
            return self._settle(patience_seconds) and settled

    def _run(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            with self._lock:
                now = self.clock.now_ms()
                while (due := self._next(now)) is not None:
                    try:
                        self._fire(due)
                    except Exception:  # noqa: BLE001 # one schedule's mishap must not stop all the others for good
                        _log.exception("what was due at %s failed", iso(due))
                        self._done_ms = max(self._done_ms, due)
                self._done_ms = max(self._done_ms, now)

    def _next(self, until_ms: int) -> int | None:
        due = [found for source in self._sources if (found := source.next_ms(self._done_ms)) is not None]
        if self._single:
            due.append(self._single[0][0])
        return min((each for each in due if each <= until_ms), default=None)

    def _fire(self, due_ms: int) -> None:
        while self._single and self._single[0][0] <= due_ms:
            heapq.heappop(self._single)[2]()
        for source in self._sources:
            if source.next_ms(self._done_ms) == due_ms:
                source.fire(due_ms)
        self._done_ms = max(self._done_ms, due_ms)

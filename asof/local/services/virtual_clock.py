"""The local cloud's clock: the machine's, moved forward by whatever was skipped."""

from __future__ import annotations

import threading

from asof.clock import Clock, SystemClock
from asof.errors import LocalCloudError


class VirtualClock:
    """Runs at the machine's pace, ahead of it by ``offset_ms``. It never goes back."""

    def __init__(self, base: Clock | None = None) -> None:
        self._base = base or SystemClock()
        self._lock = threading.Lock()
        self._offset_ms = 0
        self.moved = threading.Condition()
        """Notified whenever the clock was moved."""

    @property
    def offset_ms(self) -> int:
        """How far ahead of the machine's clock it is."""
        return self._offset_ms

    def now_ms(self) -> int:
        """The current instant of the local cloud."""
        return self._base.now_ms() + self._offset_ms

    def move_to(self, now_ms: int) -> None:
        """Skip to an instant; one that has passed already changes nothing."""
        with self._lock:
            self._offset_ms = max(self._offset_ms, now_ms - self._base.now_ms())
        with self.moved:
            self.moved.notify_all()

    def start_at(self, now_ms: int) -> None:
        """Begin at an instant, also a past one; only before anything happened."""
        if self._offset_ms:
            raise LocalCloudError("the local cloud's clock can be set only once, before it is moved")
        self._offset_ms = now_ms - self._base.now_ms()

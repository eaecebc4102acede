"""Answers that functions send to a ResponseURL: each expected once, under a path nobody can guess."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

PREFIX: Final = "/_asof/cloudformation/"
"""Where on the server answers arrive."""


class Callback:
    """One answer to come."""

    def __init__(self) -> None:
        self.path = PREFIX + secrets.token_urlsafe(24)
        self._event = threading.Event()
        self._answer: dict[str, Any] | None = None

    @property
    def answered(self) -> bool:
        """Whether it has come."""
        return self._event.is_set()

    def answer(self, body: dict[str, Any]) -> None:
        """Take the answer; a second one changes nothing."""
        if not self._event.is_set():
            self._answer = body
            self._event.set()

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """The answer, or None where it does not come in time."""
        self._event.wait(seconds)
        return self._answer


class Callbacks:
    """The answers that are waited for."""

    def __init__(self) -> None:
        self._waiting: dict[str, Callback] = {}

    @contextmanager
    def expect(self) -> Iterator[Callback]:
        """A callback whose path leads to it while inside."""
        callback = Callback()
        self._waiting[callback.path] = callback
        try:
            yield callback
        finally:
            del self._waiting[callback.path]

    def deliver(self, path: str, body: dict[str, Any]) -> bool:
        """Hand an answer to whoever waits for it; False where nobody does."""
        callback = self._waiting.get(path)
        if callback is None:
            return False
        callback.answer(body)
        return True

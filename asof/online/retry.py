"""Trying again: exponential backoff with full jitter, until a deadline and never beyond it.

Full jitter as in https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from asof.clock import Clock, SystemClock
from asof.errors import DeadlineExceededError, OnlineStoreError
from asof.online.faults import client_errors, is_retryable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often to try. The n-th wait is random in ``[0, min(cap_ms, base_ms * 2**n))``.

    ``clock`` measures the deadline, ``sleep`` takes seconds, ``uniform`` gives a number in [0, 1); tests inject all.
    """

    deadline_ms: int
    base_ms: int = 10
    cap_ms: int = 1_000
    clock: Clock = field(default_factory=SystemClock)
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[], float] = random.random

    def start(self, what: str) -> Patience:
        """Begins the time allowed for one piece of work; ``what`` names it in errors."""
        return Patience(self, what)


class Patience:
    """What is left of the time allowed for one piece of work."""

    def __init__(self, policy: RetryPolicy, what: str) -> None:
        self._policy = policy
        self._what = what
        self._end_ms = policy.clock.now_ms() + policy.deadline_ms
        self._waits = 0

    def call(self, operation: Callable[[], T]) -> T:
        """The operation's answer, tried until it succeeds.

        Raises DeadlineExceededError when the time is up, OnlineStoreError at once for what no repetition mends.
        """
        while True:
            try:
                return operation()
            except client_errors() as error:
                if not is_retryable(error):
                    raise OnlineStoreError(f"{self._what} failed: {error}") from error
                self.wait(error)

    def wait(self, cause: Exception | str) -> None:
        """Sleeps before the next try; raises DeadlineExceededError, with the cause, where no time is left."""
        policy = self._policy
        left_ms = self._end_ms - policy.clock.now_ms()
        if left_ms <= 0:
            raise DeadlineExceededError(
                f"{self._what} was not done within {policy.deadline_ms} ms, after {self._waits} further tries: {cause}"
            ) from (cause if isinstance(cause, Exception) else None)
        # 2**16 is beyond any cap; it keeps the power small however long the deadline is.
        longest_ms = min(policy.cap_ms, policy.base_ms * 2 ** min(self._waits, 16), left_ms)
        self._waits += 1
        policy.sleep(max(1.0, policy.uniform() * longest_ms) / 1000)

"""What an execution's states came to, so that a redrive repeats only what had not succeeded.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html: states that ended well, or whose error was
caught, are not entered again. A state is known by its name, its input and its place in a Map; the same state with the
same input twice is told apart by order.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a state left behind: its output, and the state after it (None: it was the last)."""

    output: Any
    following: str | None


class Memory:
    """The outcomes of one execution, from all its attempts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: defaultdict[Key, deque[Outcome]] = defaultdict(deque)
        self._known: defaultdict[Key, deque[Outcome]] = defaultdict(deque)

    def redrive(self) -> None:
        """Begin again: what was done is now known."""
        with self._lock:
            for key, outcomes in self._known.items():
                self._done[key].extend(outcomes)
            self._known, self._done = self._done, defaultdict(deque)

    def evaluate(self, state: Any, env: Any, evaluate: Callable[[Any, Any], None]) -> bool:
        """Let a state be evaluated, unless it is known what it came to; whether it was left in the ordinary way.

        What ends after its execution was stopped is not remembered: a redrive does it again, as on AWS.
        """
        key = (state.name, _text(env))
        with self._lock:
            known = self._known[key].popleft() if self._known[key] else None
        if known is None:
            _left.name = None
            evaluate(state, env)
            known = _outcome(env, state)
            if known is None or _stopped(env):
                return False
        else:
            env.states.reset(input_value=copy.deepcopy(known.output))
            if known.following is None:
                env.set_ended()
            else:
                env.next_state_name = known.following
        with self._lock:
            self._done[key].append(known)
        return True


def _stopped(env: Any) -> bool:
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped

    return isinstance(env.program_state(), ProgramStopped)


def _text(env: Any) -> str:
    place = env.states.context_object.context_object_data.get("Map")
    return json.dumps([env.states.get_input(), place], sort_keys=True, default=str)


_left = threading.local()


def leave(state: Any) -> None:
    """Say that this thread has just left a state in the ordinary way: the next one is known."""
    _left.name = state.name


def _outcome(env: Any, state: Any) -> Outcome | None:
    """What a state that has just been evaluated came to; None where it was interrupted."""
    if getattr(_left, "name", None) != state.name:
        return None
    # The program has ended where the state was its last.
    return Outcome(copy.deepcopy(env.states.get_input()), env.next_state_name)

"""What discovery gathers while the user's files run: the definitions they construct, and every problem on the way.

Under a recorder a mistaken constructor writes its problems down and yields a placeholder, so the rest of the file is
read too. Without one (a notebook, a test) it raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asof.errors import Problem


@dataclass(slots=True)
class Recorder:
    """Gathers for one discovery.

    ``root`` is the definitions' folder, ``objects`` are in order of construction, ``failed`` tells of a file that was
    not run to its end.
    """

    root: Path
    problems: list[Problem] = field(default_factory=list)
    objects: list[Any] = field(default_factory=list)
    failed: bool = False


_RECORDER: ContextVar[Recorder | None] = ContextVar("asof_definitions_recorder", default=None)


def current() -> Recorder | None:
    """The recorder of the discovery under way, if there is one."""
    return _RECORDER.get()


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make ``recorder`` the current one for the length of a ``with`` block."""
    token = _RECORDER.set(recorder)
    try:
        yield recorder
    finally:
        _RECORDER.reset(token)


class Unknown:
    """Stands for whatever a file that failed would have defined, so that the files importing it can go on.

    Anything may be asked of it and gives it again; a definition constructed from it is a placeholder without problems
    of its own.
    """

    def __getattr__(self, name: str) -> Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_args: object, **_arguments: object) -> Unknown:
        """Itself: what a call of it would give is as unknown as it is."""
        return self

    def __getitem__(self, _key: object) -> Unknown:
        return self

    def __iter__(self) -> Iterator[Unknown]:
        return iter(())


def holds_unknown(value: object) -> bool:
    """Whether a value is, or a list, tuple or dict holds, something a failed file would have defined."""
    if isinstance(value, Mapping):
        return any(map(holds_unknown, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_unknown, value))
    return isinstance(value, Unknown)

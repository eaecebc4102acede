"""What changed within a definition, part by part: pure functions over JSON-like values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any, Final

from asof.clock import duration_text
from asof.manifest import Json

_PLAIN: Final = re.compile(r"[\w.@:/<>()=-]+")
_IDENTITY: Final = ("name", "feature")
_LONG: Final = 60


@dataclass(frozen=True, slots=True)
class Edit:
    """A part that differs, such as ``aggregations[1].window_ms``, with its old and new value; None where it is absent.

    Elements of lists are counted as in the old list, added ones as in the new.
    """

    part: str
    old: Json
    new: Json

    def __str__(self) -> str:
        if self.old is None and isinstance(self.new, Mapping):
            return f"{self.part}: added ({_text(self.part, self.new)})"
        if self.new is None and isinstance(self.old, Mapping):
            return f"{self.part}: removed ({_text(self.part, self.old)})"
        if isinstance(self.old, str) and isinstance(self.new, str) and max(len(self.old), len(self.new)) > _LONG:
            return f"{self.part}:\n" + "\n".join(_lines(self.old, self.new))
        return f"{self.part}: {_text(self.part, self.old)} -> {_text(self.part, self.new)}"


def edits(old: Json, new: Json, part: str = "") -> Iterator[Edit]:
    """The parts in which two values differ, in the old value's order; nothing where they are equal.

    Objects are compared member by member. Elements of a list are paired by their ``name`` or ``feature``, and where
    some were replaced by as many others, by their place.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            yield from edits(old.get(name), new.get(name), f"{part}.{name}" if part else name)
    elif _is_list(old) and _is_list(new):
        yield from _list_edits(old, new, part)
    elif old != new or type(old) is not type(new):
        yield Edit(part, old, new)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _list_edits(old: Sequence[Json], new: Sequence[Json], part: str) -> Iterator[Edit]:
    matcher = SequenceMatcher(
        None, [_identity(each) for each in old], [_identity(each) for each in new], autojunk=False
    )
    for _, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        paired = min(to_old - from_old, to_new - from_new)
        for i in range(paired):
            yield from edits(old[from_old + i], new[from_new + i], f"{part}[{from_old + i}]")
        for i in range(from_old + paired, to_old):
            yield Edit(f"{part}[{i}]", old[i], None)
        for i in range(from_new + paired, to_new):
            yield Edit(f"{part}[{i}]", None, new[i])


def _identity(element: Json) -> str:
    """What makes an element of a list itself, whatever else of it changes."""
    if isinstance(element, Mapping):
        for name in _IDENTITY:
            if name in element:
                return str(element[name])
    return json.dumps(element, sort_keys=True)


def _text(part: str, value: Json) -> str:
    """A value as people read it: durations as ``1h30m``, absence as ``none``."""
    if value is None:
        return "none"
    if part.endswith("_ms") and isinstance(value, int):
        return duration_text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(name, each)}" for name, each in value.items() if each is not None)
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _lines(old: str, new: str) -> Iterator[str]:
    """The lines in which two texts differ, marked with ``-`` and ``+``, indented."""
    compared: Any = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1)
    for line in compared:
        if not line.startswith(("---", "+++", "@@")):
            yield f"    {line}"

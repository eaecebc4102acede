"""Where a definition stands: the file and line of the call that constructed it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

# A call passes through these on its way from the user's line to the constructor.
_LIBRARY: Final = ("asof.definitions", "pydantic")


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A place in a file. ``file`` is relative to the folder that holds the definitions' folder."""

    file: str = ""
    line: int = 0


def caller(root: Path | None = None) -> Origin:
    """The nearest calling line outside this library, inside the definitions' folder ``root`` where one is on the way.

    So an object that a function of an installed package constructs is found at the line of ``root`` that called it.
    """
    nearest: FrameType | None = None
    frame = inspect.currentframe()
    while frame is not None:
        if not _is_library(frame.f_globals.get("__name__", "")):
            nearest = nearest or frame
            if root is None or root in Path(frame.f_code.co_filename).parents:
                nearest = frame
                break
        frame = frame.f_back
    return Origin() if nearest is None else at(nearest.f_code.co_filename, nearest.f_lineno, root)


def at(file: str, line: int, root: Path | None = None) -> Origin:
    """The origin of a line of a file; the file is named relative to the parent of ``root``, else the current folder."""
    base = root.parent if root is not None else Path.cwd()
    path = Path(file)
    return Origin(str(path.relative_to(base)) if path.is_relative_to(base) else file, line)


def _is_library(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in _LIBRARY)

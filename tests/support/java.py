"""Where a Java of some release is on this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_RELEASE = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)


class JavaNotFoundError(Exception):
    """No Java of the wanted release is installed where it was looked for."""


def java_home(at_least: int, at_most: int | None = None) -> Path:
    """The folder of a Java whose release is in the range, both inclusive; the oldest that is.

    Looks at JAVA_HOME, at the ``java`` of the PATH, and in the places where packages install one. Raises
    JavaNotFoundError with what was found.
    """
    found = {home: release for home in _homes() if (release := _release(home))}
    fitting = [home for home, release in found.items() if at_least <= release <= (at_most or release)]
    if not fitting:
        wanted = f"Java {at_least} or newer" if at_most is None else f"a Java from {at_least} to {at_most}"
        there = ", ".join(f"{release} in {home}" for home, release in found.items()) or "none at all"
        raise JavaNotFoundError(f"{wanted} is needed; found: {there}. Install one, or set JAVA_HOME to it.")
    return min(fitting, key=lambda home: found[home])


def _homes() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parents[1]
    for place in (Path("/usr/lib/jvm"), Path("/opt/java"), Path("/Library/Java/JavaVirtualMachines")):
        for home in sorted(place.glob("*")):
            yield home / "Contents" / "Home" if (home / "Contents" / "Home").exists() else home


def _release(home: Path) -> int | None:
    described = home / "release"
    if not (home / "bin" / "java").exists() or not described.exists():
        return None
    match = _RELEASE.search(described.read_text())
    return int(match[1]) if match else None

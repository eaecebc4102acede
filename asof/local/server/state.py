"""The folder in which a local cloud keeps its state between runs: one file, replaced at once, and a lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import asof
from asof.errors import LocalCloudError

FORMAT: Final = 1
_FILE: Final = "cloud.state"


@dataclass(frozen=True, slots=True)
class Place:
    """Which cloud the state is of: objects of it name its account, region and port."""

    account: str
    region: str
    port: int


@dataclass(frozen=True, slots=True)
class State:
    """A state that was kept. ``now_ms`` is where its time stood, None where it was the machine's."""

    place: Place
    now_ms: int | None
    data: bytes


def _versions() -> dict[str, Any]:
    """What must be the same to read a state: the data is that of classes of these versions."""
    return {
        "format": FORMAT,
        "asof": asof.__version__,
        "moto": version("moto"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


class StateFolder:
    """A folder of the user's own. What lies in it is trusted as code is: reading a state can run what it says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def file(self) -> Path:
        """The file that holds the state."""
        return self._folder / _FILE

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The folder is this process's while inside; raises LocalCloudError where it is another's."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._folder.stat().st_uid != os.getuid():
            raise LocalCloudError(f"{self._folder} belongs to somebody else; a state is trusted as code is")
        with (self._folder / "lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalCloudError(f"another local cloud keeps its state in {self._folder}; end it first") from error
            yield

    def read(self) -> State | None:
        """The state, or None where none was kept; raises LocalCloudError where it is not whole or does not fit."""
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return None
        head, _, packed = content.partition(b"\n")
        try:
            found = json.loads(head)
            written, place = found["versions"], Place(**found["place"])
            digest, now_ms = found["sha256"], found["now_ms"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._refused("is not a state of a local cloud") from error
        if written != _versions():
            raise self._refused(f"was written by {_listed(written)}, and this is {_listed(_versions())}")
        if hashlib.sha256(packed).hexdigest() != digest:
            raise self._refused("is damaged")
        return State(place, now_ms, zlib.decompress(packed))

    def fitting(self, account: str, region: str, port: int, now_ms: int | None) -> State | None:
        """The state, or None where none was kept; ``port`` 0 stands for whichever it had, ``now_ms`` None likewise.

        Raises LocalCloudError where it is of another place or time than is asked for.
        """
        state = self.read()
        if state is None:
            return None
        place = state.place
        if (place.account, place.region) != (account, region):
            raise self._refused(f"is of account {place.account} in {place.region}, not of {account} in {region}")
        if port not in (0, place.port):
            raise self._refused(f"has stacks whose addresses are on port {place.port}, not on {port}")
        if now_ms is not None:
            raise self._refused("has its own time, which goes on where it stood: --now is for a new one")
        return state

    def write(self, state: State) -> None:
        """Keep a state in place of the one before: whoever reads finds one or the other, whole.

        Raises LocalCloudError where it cannot be written.
        """
        packed = zlib.compress(state.data, 1)
        head = {
            "versions": _versions(),
            "place": asdict(state.place),
            "now_ms": state.now_ms,
            "sha256": hashlib.sha256(packed).hexdigest(),
        }
        try:
            self._replace(json.dumps(head).encode() + b"\n" + packed)
        except OSError as error:
            raise LocalCloudError(f"the state cannot be kept in {self.file}: {error}") from error

    def _replace(self, content: bytes) -> None:
        handle, partial = tempfile.mkstemp(dir=self._folder, prefix=f"{_FILE}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(self.file)
        finally:
            Path(partial).unlink(missing_ok=True)

    def _refused(self, why: str) -> LocalCloudError:
        return LocalCloudError(f"{self.file} {why}; remove it to begin anew, or give another --state-dir")


def _listed(versions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items())

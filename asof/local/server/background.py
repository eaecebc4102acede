"""A local cloud in the background: started, asked and ended from other processes. Standard library only."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asof
from asof.errors import LocalCloudError
from asof.local.server.state import StateFolder

DEFAULT_PORT: Final = 4747
_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 15.0
_KEEP_SECONDS: Final = 180.0
_FACTS: Final = frozenset({"endpoint", "pid", "account", "region", "now", "stacks", "state_dir"})
_ANSWER_SECONDS: Final = 2.0
_LOG_LINES: Final = 15


@dataclass(frozen=True, slots=True)
class Running:
    """A local cloud that answers: what it says of itself, and the file of its log."""

    status: dict[str, Any]
    log: Path

    @property
    def endpoint(self) -> str:
        """Its address."""
        return str(self.status["endpoint"])

    @property
    def state_file(self) -> Path | None:
        """The file in which it keeps its state when it ends."""
        folder = self.status["state_dir"]
        return None if folder is None else StateFolder(Path(folder)).file


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something that listens on the port and does not answer as a local cloud of this version does."""

    why: str


def up(
    port: int = DEFAULT_PORT, *, account: str, region: str, now_ms: int | None = None, state_dir: Path | None = None
) -> Running:
    """Start a local cloud and wait until it answers; raises LocalCloudError, with the end of its log, where not."""
    found = look(port)
    if isinstance(found, Running):
        end = f"asof local down --port {port}"
        raise LocalCloudError(f"a local cloud runs on {found.endpoint} already; end it with: {end}")
    if found is not None:
        raise LocalCloudError(f"port {port} is taken: {found.why}. Try another --port")
    log = _log(port)
    command = [sys.executable, "-m", "asof.local.server", "--port", str(port), "--account", account, "--region", region]
    if now_ms is not None:
        command += ["--now-ms", str(now_ms)]
    if state_dir is not None:
        command += ["--state-dir", str(state_dir.absolute())]
    pid = _spawn(command, log)
    _pid_file(port).write_text(str(pid), encoding="ascii")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and _alive(pid):
        running = find(port)
        if running is not None and running.status["pid"] == pid:
            return running
        time.sleep(0.1)
    if _alive(pid):
        os.kill(pid, signal.SIGKILL)
    _pid_file(port).unlink(missing_ok=True)
    raise LocalCloudError(f"the local cloud on port {port} did not start; {_end_of(log)}")


def _spawn(command: list[str], log: Path) -> int:
    """Start a process that outlives this one, its output going to a file; returns its id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # A process group of its own: an interrupt typed at this terminal is not meant for it.
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setpgroup=0)


def find(port: int = DEFAULT_PORT) -> Running | None:
    """The local cloud that answers on a port, or None."""
    found = look(port)
    return found if isinstance(found, Running) else None


def look(port: int = DEFAULT_PORT) -> Running | Stranger | None:
    """What is on a port: a local cloud that answers, something else, or None where nobody listens."""
    try:
        status = _ask(port, "status", {}, _ANSWER_SECONDS)
    except (OSError, http.client.HTTPException, LocalCloudError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ConnectionRefusedError):
            return None
        if isinstance(reason, TimeoutError):
            return Stranger(f"what listens there has not answered for {_ANSWER_SECONDS:g} s{_whose(port)}")
        return Stranger(f"what listens there is no local cloud ({reason})")
    if status.get("version") != asof.__version__ or not status.keys() >= _FACTS:
        version = status.get("version", "another version")
        return Stranger(f"a local cloud of asof {version} listens there, and this is {asof.__version__}{_whose(port)}")
    return Running(status, _log(port))


def _whose(port: int) -> str:
    """Words about the process that ``up`` started on the port, where it is still there."""
    pid = _started(port)
    return f"; 'asof local up' started process {pid}, which can be ended with: kill {pid}" if _exists(pid) else ""


def advance(port: int, by: str, patience_seconds: float) -> dict[str, Any]:
    """Move the clock of the local cloud on a port; raises LocalCloudError where none runs."""
    try:
        # Each instant on the way may take so long.
        return _ask(port, "advance", {"by": by, "patience": patience_seconds}, None)
    except OSError as error:
        raise LocalCloudError(
            f"no local cloud answers on port {port} ({error}); start one with: asof local up"
        ) from error


def down(port: int = DEFAULT_PORT) -> bool:
    """End the local cloud that :func:`up` started on a port; False where none runs.

    Only a process that answers as the one that was started is ended; raises LocalCloudError where another one does,
    and where a state that was to be kept could not be.
    """
    running = look(port)
    if running is None:
        _pid_file(port).unlink(missing_ok=True)
        return False
    if isinstance(running, Stranger):
        raise LocalCloudError(f"nothing was ended on port {port}: {running.why}")
    pid, file = running.status["pid"], running.state_file
    if pid != _started(port):
        raise LocalCloudError(
            f"the local cloud on port {port} is process {pid}, which 'asof local up' did not start; "
            f"end it where it was started"
        )
    kept = _changed(file)
    _end(port, pid, _END_SECONDS if file is None else _KEEP_SECONDS)
    _pid_file(port).unlink(missing_ok=True)
    if file is not None and _changed(file) == kept:
        raise LocalCloudError(f"the local cloud has ended, and its state was not kept in {file}; {_end_of(_log(port))}")
    return True


def _end(port: int, pid: int, patience_seconds: float) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline, asked_nicely = time.monotonic() + patience_seconds, True
    while find(port) is not None or _alive(pid):
        if asked_nicely and time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            asked_nicely = False
        time.sleep(0.05)


def _changed(file: Path | None) -> int | None:
    """When a file was last replaced."""
    return file.stat().st_mtime_ns if file is not None and file.exists() else None


def _started(port: int) -> int | None:
    """The process that :func:`up` has started on a port."""
    file = _pid_file(port)
    return int(file.read_text(encoding="ascii")) if file.exists() else None


def _alive(pid: int) -> bool:
    try:
        # A child of this very process stays until it is waited for.
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    return _exists(pid)


def _exists(pid: int | None) -> bool:
    """Whether there is a process of that id, and it is this user's."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _ask(port: int, command: str, arguments: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/_asof/{command}"
    request = urllib.request.Request(url, json.dumps(arguments).encode(), method="POST")  # loopback
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            body: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        content = error.read()
        try:
            raise LocalCloudError(json.loads(content)["error"]) from error
        except (ValueError, KeyError, TypeError):
            raise ConnectionError(f"port {port} is answered by something else") from error
    except ValueError as error:
        raise ConnectionError(f"port {port} is answered by something else") from error
    return body


def _folder() -> Path:
    """This user's own folder for logs and process ids."""
    folder = Path(tempfile.gettempdir()) / f"asof-local-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise LocalCloudError(f"{folder} belongs to somebody else")
    return folder


def _log(port: int) -> Path:
    return _folder() / f"{port}.log"


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join([f"its log ({log}) ends:", *lines])


def _pid_file(port: int) -> Path:
    return _folder() / f"{port}.pid"

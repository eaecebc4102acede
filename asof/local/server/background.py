"""A local cloud in the background: started, asked and ended from other processes. Standard library only."""

from __future__ import annotations

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

from asof.errors import LocalCloudError

DEFAULT_PORT: Final = 4747
_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 15.0
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


def up(port: int = DEFAULT_PORT, *, account: str, region: str, now_ms: int | None = None) -> Running:
    """Start a local cloud and wait until it answers; raises LocalCloudError, with the end of its log, where not."""
    running = find(port)
    if running is not None:
        end = f"asof local down --port {port}"
        raise LocalCloudError(f"a local cloud runs on {running.endpoint} already; end it with: {end}")
    log = _folder() / f"{port}.log"
    command = [sys.executable, "-m", "asof.local.server", "--port", str(port), "--account", account, "--region", region]
    if now_ms is not None:
        command += ["--now-ms", str(now_ms)]
    pid = _spawn(command, log)
    _pid_file(port).write_text(str(pid), encoding="ascii")
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and _alive(pid):
        found = find(port)
        if found is not None and found.status["pid"] == pid:
            return found
        time.sleep(0.1)
    if _alive(pid):
        os.kill(pid, signal.SIGKILL)
    _pid_file(port).unlink(missing_ok=True)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    raise LocalCloudError("\n".join([f"the local cloud on port {port} did not start; its log ({log}) ends:", *lines]))


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
    try:
        status = _ask(port, "status", {}, _ANSWER_SECONDS)
    except (OSError, LocalCloudError):
        # Nobody listens, or what listens is just starting or ending.
        return None
    return Running(status, _folder() / f"{port}.log")


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

    Only a process that answers as the one that was started is ended; raises LocalCloudError where another one does.
    """
    file = _pid_file(port)
    running = find(port)
    started = int(file.read_text(encoding="ascii")) if file.exists() else None
    if running is None:
        file.unlink(missing_ok=True)
        return False
    pid = running.status["pid"]
    if pid != started:
        raise LocalCloudError(
            f"the local cloud on port {port} is process {pid}, which 'asof local up' did not start; "
            f"end it where it was started"
        )
    os.kill(pid, signal.SIGTERM)
    deadline, asked_nicely = time.monotonic() + _END_SECONDS, True
    while find(port) is not None or _alive(pid):
        if asked_nicely and time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            asked_nicely = False
        time.sleep(0.05)
    file.unlink(missing_ok=True)
    return True


def _alive(pid: int) -> bool:
    try:
        # A child of this very process stays until it is waited for.
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
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


def _pid_file(port: int) -> Path:
    return _folder() / f"{port}.pid"

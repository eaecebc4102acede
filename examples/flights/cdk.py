"""The CDK's own command line, run as it is; what it tells while it works is passed on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from asof.errors import LocalCloudError
from examples.flights.ending import signals_held

ROOT: Final = Path(__file__).parents[2]

Watcher = Callable[[str, int | None, int | None], None]
"""Told what is happening, and how much of how much is done where that is known."""

_LINES_SHOWN: Final = 60
_GONE_SECONDS: Final = 10.0
# A stack's progress: "asof-dev-storage | 4/27 | 3:07:15 AM | CREATE_COMPLETE | AWS::S3::Bucket | Registry (...)".
_RESOURCE: Final = re.compile(r"(\S+) \| +(\d+)/(\d+) \| [^|]+ \| (\w+) +\| (\S+) +\|")


def unwatched(_what: str, _done: int | None = None, _total: int | None = None) -> None:
    """Nobody looks."""


def run(folder: Path, home: Path, *arguments: str, watch: Watcher = unwatched) -> None:
    """Run ``cdk`` with these arguments in a folder; raises LocalCloudError with the end of what it said if it fails.

    ``home`` is where the command line keeps its own notes and temporary files. Whatever it starts ends with it.
    """
    command = ROOT / "node_modules" / ".bin" / "cdk"
    if not command.exists():
        raise LocalCloudError(f"the CDK's command line is not in {command.parent}; install it with: npm ci")
    environment = {
        **os.environ,
        # cdk.json says "python app.py", and node comes with this Python's environment.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # A home of its own: the command line remembers which account belongs to which credentials.
        "HOME": str(home),
        # Where what it leaves is found, if it is ended on the way.
        "TMPDIR": str(home),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "NODE_NO_WARNINGS": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
    words = [str(command), *arguments, "--ci", "--no-notices"]
    # A session of its own, so that what the command starts can be ended together with it.
    process: subprocess.Popen[str] | None = None
    last: deque[str] = deque(maxlen=_LINES_SHOWN)
    try:
        # A process that was begun and is known to nobody would go on alone.
        with signals_held():
            process = subprocess.Popen(  # noqa: S603 # the project's own command line
                words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip
        for line in process.stdout or ():
            last.append(line)
            watch(*happening(line))
        code = process.wait()
    finally:
        if process is not None:
            _end(process)
    if code:
        raise LocalCloudError(f"cdk {arguments[0]} ended with exit code {code}:\n{''.join(last)}")


def _end(process: subprocess.Popen[str]) -> None:
    """End the command, where it has not ended, and all it has started; wait until they are gone."""
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def happening(line: str) -> tuple[str, int | None, int | None]:
    """A line of the command's output: what it says is happening, and resources done and in all if it counts them."""
    if found := _RESOURCE.match(line):
        stack, done, total, status, kind = found.groups()
        return f"{stack} {done}/{total} {kind} {status.lower().replace('_', ' ')}", int(done), int(total)
    return " ".join(line.split()), None, None

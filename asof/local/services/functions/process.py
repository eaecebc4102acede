"""One warm process of a function: started with the deployed environment, given one invocation at a time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_BOOTSTRAP: Final = Path(__file__).with_name("bootstrap.py")
_GRACE_SECONDS: Final = 2.0


class FunctionProcess:
    """A process that runs a handler. Not for several threads at once."""

    def __init__(self, handler: str, environment: Mapping[str, str], code: Path, runtime: Path, log: Path) -> None:
        calls, self._calls = os.pipe()
        self._answers, answers = os.pipe()
        self._log = log
        self._log_read = 0
        with log.open("wb") as output:
            # -I and -S: nothing of the server's own environment or packages reaches the function.
            command = [sys.executable, "-I", "-S", str(_BOOTSTRAP), str(calls), str(answers), handler]
            self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and file
                [*command, str(code), str(runtime)],
                cwd=code,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(calls, answers),
                start_new_session=True,
            )
        os.close(calls)
        os.close(answers)
        self._buffer = b""
        self.lost = False
        self._expired = False

    def invoke(self, call: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer to a call; None where none came in time. Then, and where the process ended, it is ``lost``.

        A process that ended answers ``{"exit": code}``.
        """
        deadline = time.monotonic() + seconds
        try:
            self._write(call)
        except BrokenPipeError:
            return self._exited()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                self.lost = True
                return None
            chunk = os.read(self._answers, 1 << 20)
            if not chunk:
                return self._exited()
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        self.lost = bool(answer.get("lost"))
        return answer

    def _write(self, call: Mapping[str, Any]) -> None:
        content = memoryview(json.dumps(call).encode() + b"\n")
        while content:
            content = content[os.write(self._calls, content) :]

    def expire(self) -> None:
        """End the process now, as though the time of its invocation were over."""
        self._expired = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _exited(self) -> dict[str, Any] | None:
        self.lost = True
        code = self._process.wait()
        return None if self._expired else {"exit": code}

    def log(self) -> str:
        """What the function wrote since it was last asked."""
        with self._log.open("rb") as file:
            file.seek(self._log_read)
            text = file.read()
        self._log_read += len(text)
        return text.decode(errors="replace")

    def close(self) -> None:
        """End the process and whatever it started."""
        os.close(self._calls)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_GRACE_SECONDS)
        os.close(self._answers)
        self._log.unlink(missing_ok=True)

"""The command lines a user of a deployment has: ``aws``, ``asof`` and ``curl``, each as it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 120.0
_CURL_SIGNS_FROM: Final = (7, 75)
"""The first curl that has --aws-sigv4."""


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


def run(words: Sequence[str], folder: Path | None = None, **environment: str) -> Finished:
    """Run a command to its end, in a folder, with this process's environment and a few variables more."""
    done = subprocess.run(
        list(words),
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def aws(*words: str) -> Any:
    """The answer of the ``aws`` command, parsed; it must succeed."""
    done = run([_beside_python("aws"), *words, "--output", "json"])
    assert done.code == 0, f"aws {' '.join(words)} ended with {done.code}: {done.err}"
    return json.loads(done.out) if done.out.strip() else None


def asof(*words: str, code: int = 0) -> Finished:
    """What the ``asof`` command said; it must end with that exit code, and never with a traceback."""
    done = run([_beside_python("asof"), *words])
    said = f"asof {' '.join(words)} ended with {done.code}:\n{done.out}\n{done.err}"
    assert "Traceback" not in done.err, said
    assert done.code == code, said
    return done


def curl_signs() -> bool:
    """Whether there is a curl that signs requests itself."""
    if shutil.which("curl") is None:
        return False
    found = re.match(r"curl (\d+)\.(\d+)", run(["curl", "--version"]).out)
    return found is not None and (int(found[1]), int(found[2])) >= _CURL_SIGNS_FROM


def curl(url: str, region: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of a signed request, as docs/deploy.md spells it; a POST where there is a body."""
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    words = ["curl", url, "--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}"]
    words += ["--aws-sigv4", f"aws:amz:{region}:execute-api", "--user", f"{key}:{secret}"]
    done = run(words if body is None else [*words, "-d", json.dumps(body)])
    assert done.code == 0, done.err
    text, _, status = done.out.rpartition("\n")
    return int(status), json.loads(text)


def _beside_python(name: str) -> str:
    """A command of this Python's environment."""
    path = Path(sys.executable).with_name(name)
    assert path.exists(), f"{path} is missing; install the development requirements"
    return str(path)

"""Peers, each in an environment of its own, so that none of them decides what versions Asof or another peer gets.

``<name>.in`` says what a peer needs, ``<name>.lock`` is that with all it depends on, pinned by hashes; the environment
is ``.cache/peers/<name>``. It is made anew where the lock has changed since.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]
CACHE: Final = ROOT / ".cache" / "peers"
PYTHON_VERSION: Final = "3.11"
"""The oldest Python that the locks are for."""


def names() -> tuple[str, ...]:
    """The peers there are."""
    return tuple(sorted(each.stem for each in FOLDER.glob("*.in")))


def python(name: str) -> Path:
    """The interpreter of a peer's environment, which is made or renewed if need be.

    Raises ValueError for a name that is no peer's, CalledProcessError where pip fails.
    """
    lock = FOLDER / f"{name}.lock"
    if name not in names() or not lock.exists():
        raise ValueError(f"{name!r} is no peer with a lock; there are {', '.join(names())}")
    folder = CACHE / name
    stamp, wanted = folder / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    interpreter = folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    print(f"Setting up {folder.relative_to(ROOT)} ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    subprocess.run([*pip, "-r", lock], check=True)
    stamp.write_text(wanted)
    return interpreter


def lock(name: str) -> None:
    """Renew a peer's lock with uv, which has to be on the PATH; it carries hashes and no registry's address.

    Raises FileNotFoundError where there is no uv, CalledProcessError where it finds no solution.
    """
    options = ["--universal", "--python-version", PYTHON_VERSION, "--generate-hashes", "--no-header", "--quiet"]
    # In the folder itself, since uv writes the path of the input into the lock's comments.
    subprocess.run(["uv", "pip", "compile", f"{name}.in", *options, "-o", f"{name}.lock"], check=True, cwd=FOLDER)

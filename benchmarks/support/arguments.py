"""The command line that benchmarks have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from benchmarks.support.report import FOLDER

NEEDS_JAVA: Final = "Needs a JDK of version 17 or newer for DynamoDB Local; installs peers under .cache/peers at first."


def command_line(name: str, words: str | None, *, quick: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """The parser of ``python -m benchmarks.<name>`` with --quick and --output; ``quick`` says what is smaller then."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=words,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--output", type=Path, default=FOLDER, help="folder of the JSON and the plots")
    return made

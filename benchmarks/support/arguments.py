"""The command line that benchmarks have in common."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.environments import ROOT
from benchmarks.support.report import FOLDER

QUICK_FOLDER: Final = ROOT / ".cache" / "benchmarks"
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
    output = "folder of the JSON and the plots; default docs/benchmarks, with --quick .cache/benchmarks"
    made.add_argument("--output", type=Path, help=output)
    return made


def parsed(parser: argparse.ArgumentParser, given: Sequence[str] | None = None) -> argparse.Namespace:
    """What a command line says. What a quick run finds does not take the place of what a full one found."""
    found = parser.parse_args(given)
    found.output = found.output or (QUICK_FOLDER if found.quick else FOLDER)
    return found

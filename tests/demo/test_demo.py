"""The demos run to their end and say so; told to stop on the way, they leave nothing running and nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 1_500
"""Ten times what the longest of them takes on a quiet machine."""


def environment(folder: Path) -> dict[str, str]:
    """The demo's environment, with a folder of its own for all temporary files."""
    return {**os.environ, "TMPDIR": str(folder)}


def left_behind(folder: Path) -> list[str]:
    """Temporary files, and processes that still know the folder (seen where there is a ``/proc``)."""
    found = [str(each) for each in folder.iterdir()]
    for each in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in each.read_bytes():
                found.append((each.parent / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended meanwhile, or is somebody else's
    return found


@pytest.mark.parametrize(
    ("module", "decisive"),
    [
        (
            "demo",
            [
                r"cdk deploy +asof-dev-service: \d+ resources, asof-dev-storage: \d+ resources",
                r"state machine +asof-dev-backfill: 30 days of 3 views",
                r"training set +([\d,]+) departures in, \1 rows out, \1 with a count",
                r"HTTP lookups +6 entities x 7 features at 15:\d\d, 42 not null: all 42 equal training",
                r"an hour later +schedules started 4 runs, 4 succeeded; published through 16:00, 16:00, 16:00",
                r"HTTP lookups +6 entities x 7 features at 16:\d\d, 42 not null: all 42 equal training",
                r"source silent +freshness-airport_weather-v1: OK before, ALARM 3h10m later",
                r"source back +freshness-airport_weather-v1: OK 50m later",
                r"The local cloud has ended",
            ],
        ),
        (
            "demo_core",
            [
                r"training set +([\d,]+) departures in, \1 rows out",
                r"the leak +joined by event time alone, [\d,]+ rows would be wrong",
                r"lookups +10 departures x \d+ features: all \d+ served values equal training",
            ],
        ),
    ],
)
def test_a_demo_comes_to_a_good_end(module: str, decisive: list[str], tmp_path: Path) -> None:
    """Exit code 0, every decisive line in order, and nothing left."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.flights.{module}"],
        cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(".*".join(decisive), done.stdout, re.DOTALL), done.stdout
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_told_to_stop_leaves_nothing(told: signal.Signals, tmp_path: Path) -> None:
    """In the middle of ``cdk deploy``, when most is at work."""
    with subprocess.Popen(
        [sys.executable, "-m", "examples.flights.demo"],
        cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        seen = [next(line for line in demo.stdout if "cdk bootstrap" in line)]
        assert left_behind(tmp_path)
        demo.send_signal(told)
        rest, _ = demo.communicate(timeout=PATIENCE_SECONDS)
    assert demo.returncode == 128 + told, [*seen, rest]
    assert "stopped; nothing is left running" in rest
    assert "Traceback" not in rest
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("module", ["demo", "demo_core"])
def test_a_demo_says_what_it_is(module: str) -> None:
    """``--help`` begins nothing."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.flights.{module}", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert "Exit code: 0" in done.stdout

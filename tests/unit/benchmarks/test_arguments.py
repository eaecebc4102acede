"""What benchmarks are told on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.support.arguments import QUICK_FOLDER, command_line, parsed
from benchmarks.support.report import FOLDER


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ([], FOLDER),
        (["--quick"], QUICK_FOLDER),
        (["--quick", "--output", "there"], Path("there")),
        (["--output", "there"], Path("there")),
    ],
)
def test_a_quick_run_replaces_no_results_of_a_full_one(given: list[str], output: Path) -> None:
    assert parsed(command_line("windows", None, quick="less"), given).output == output

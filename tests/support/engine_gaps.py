"""What an engine cannot do as it is specified. Tests of these are strict expected failures with the reason."""

from __future__ import annotations

from typing import Any

import pytest

FINEST_US = {"trino": 1_000, "local_athena": 1_000}
"""Instants of a table are multiples of this, where they are not of whole microseconds."""

ROUNDED = "reads Parquet's microseconds rounded to milliseconds, halves up, before any query can floor them"


def finest_us(engine: str) -> int:
    """The finest instant, in microseconds, that the engine's tables give back as it was written."""
    return FINEST_US.get(engine, 1)


def expect_gap(request: pytest.FixtureRequest, engine: Any, gaps: dict[str, str]) -> None:
    """Expect the test to fail, and fail it where it does not, on the engines that ``gaps`` gives a reason for."""
    if engine.name in gaps:
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"{engine.name} {gaps[engine.name]}"))

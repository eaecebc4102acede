"""Which engines ``ASOF_TEST_ENGINES`` names, and whether the behaviour suite runs in full.

Without the variable the suite asks DuckDB alone, with few examples; with it, every engine named and in full, unless
``ASOF_TEST_SIZE=small``.
"""

from __future__ import annotations

import os
from typing import Final

ASKED: Final = tuple(each.strip() for each in os.environ.get("ASOF_TEST_ENGINES", "duckdb").split(",") if each.strip())
FULL: Final = "ASOF_TEST_ENGINES" in os.environ and os.environ.get("ASOF_TEST_SIZE", "full") == "full"


def sized(small: int, full: int) -> int:
    """A number of examples."""
    return full if FULL else small

"""Log lines: one JSON object each, so that CloudWatch Logs Insights can search by field."""

from __future__ import annotations

import json
from typing import Any


def log_line(event: str, **facts: Any) -> str:
    """``{"event": ..., ...}``; what JSON cannot say is said as text."""
    return json.dumps({"event": event, **facts}, separators=(",", ":"), default=str)

"""Where the HTTP APIs of the local cloud answer."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/_http/"
"""Path of the server under which APIs answer: ``/_http/<api id>/<path of the API>``."""


def api_address(endpoint: str, api_id: str) -> str:
    """The address of an API, without a final slash."""
    return f"{endpoint}{PREFIX}{api_id}"

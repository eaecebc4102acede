"""Definitions compile without their SQL here: rendering it takes most of the time, and nothing here reads it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short query stands for all of a view."""
    monkeypatch.setattr("asof.sql.queries.render_queries", lambda *_: {"compute": "SELECT"})

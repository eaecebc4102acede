"""What the benchmark on Trino asks again; it needs Trino's client, but no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import point_in_time_trino
from benchmarks.point_in_time_trino import STATISTICS, Asker, Statement
from benchmarks.support.point_in_time_data import Data


class _Cursor:
    """Answers every statement with one row, and writes down what it was asked."""

    def __init__(self, asked: list[str]) -> None:
        self._asked = asked
        self.stats = dict.fromkeys((key for key, _ in STATISTICS.values()), 1)
        self.description = [("row_id",)]

    def execute(self, sql: str) -> None:
        self._asked.append(sql)

    def fetchall(self) -> list[Any]:
        return [(0,)]


class _Engine:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def cursor(self, _database: str) -> _Cursor:
        return _Cursor(self.asked)


def test_who_answers_wrong_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its rows are counted, its time is not; the other is asked as often as there are runs, and once to be judged.

    Each is judged by the rule that it asks by.
    """
    judged = {"served": 0, "event": 7}
    monkeypatch.setattr(point_in_time_trino, "_wrong", lambda _columns, _rows, _data, as_of: judged[as_of])
    engine = _Engine()
    asker = Asker(engine, 60)  # type: ignore[arg-type]  # only its cursor is used
    statements = {"right": Statement("SELECT 1", "served"), "peer": Statement("SELECT 2")}
    found = asker.contest(statements, Data(tmp_path, 1, 1, 1), 3)
    asked = [sum(text in sql for sql in engine.asked) for text in ("SELECT 1", "SELECT 2")]
    assert asked == [4, 1]
    assert [(each.wrong, len(each.runs)) for each in found.values()] == [(0, 3), (7, 0)]

"""How Trino goes about the point-in-time join: what decides its cost, and an answer does not show."""

from __future__ import annotations

import re
from collections.abc import Callable

from asof.sql.dialects import render
from asof.sql.point_in_time import point_in_time
from tests.support.pit_case import Case, CaseView, entity
from tests.support.pit_strategies import BASE_MS
from tests.support.trino_engine import TrinoEngine


def test_feature_rows_are_scanned_once_and_never_sorted(opened: Callable[[str], TrinoEngine]) -> None:
    """One scan per history, and from it the newest row of each bucket by hashing (TopNRanking), before any window."""
    engine = opened("trino")
    row = {"user_id": 1, "event": BASE_MS, "created": BASE_MS, "available": BASE_MS, "score": 0.5}
    user, kinds = entity("user", user_id="Int64"), {"score": "Float64"}
    views = [CaseView(name, user, kinds, [row], {f"{name}__score": "score"}) for name in ("a", "b")]
    case = Case([{"row_id": 0, "user_id": 1, "label": BASE_MS, "note": None}], views)
    for table in case.tables():
        engine.create(table.name, table.columns, table.rows)
    _, rows = engine.query(f"EXPLAIN (TYPE LOGICAL) {render(point_in_time(case.request()), 'athena')}")
    operators = re.findall(r"TopNRanking|Window|a_v1|b_v1", re.sub(r"(?m)^.*(Layout|Dynamic).*$", "", rows[0][0]))
    for name in ("a_v1", "b_v1"):
        (scan,) = (place for place, each in enumerate(operators) if each == name)
        # The plan is printed from the result down to the scans.
        assert operators[scan - 1] == "TopNRanking", operators

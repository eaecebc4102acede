"""The newest row per entity of a run, as text that reads back as the same value."""

from __future__ import annotations

import math
import struct
from datetime import date, datetime, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asof.manifest import Column, Entity
from tests.duckdb.compute.harness import WIDE_DATES, both, connection, create_tables
from tests.support.compute_cases import CARRIER, ROUTE
from tests.support.compute_questions import LATEST_ROWS, newest_rows, view_of
from tests.support.compute_runs import EXAMPLES
from tests.support.window_oracle import Case, rank

KINDS = (
    "Float64",
    "Int64",
    "String",
    "Bool",
    "Timestamp",
    "Date",
    "Array<Float64>",
    "Array<Timestamp>",
    "Embedding<2>",
)


def store(case: Case, rows: list[tuple[Any, ...]]) -> None:
    """Put rows of (keys, event ms, created ms, values, run) into the history."""
    create_tables(case)
    for keys, event, created, values, run in rows:
        instants = [datetime.fromtimestamp(each / 1000, timezone.utc).replace(tzinfo=None) for each in (event, created)]
        row = [*keys, *instants, instants[1], *values, instants[0].date().isoformat(), run]
        connection().execute(f"INSERT INTO seen_v1 VALUES ({', '.join('?' * len(row))})", row)


def latest(case: Case, run: str = "r1-", **dates: str) -> list[tuple[Any, ...]]:
    """The rows of the query."""
    return both(case, "latest", {**WIDE_DATES, **dates, "run": run})


def test_texts_read_back_as_the_same_value() -> None:
    """Every type, at its edges, and NULL."""
    case = view_of(CARRIER, *KINDS)
    instant = datetime(1969, 12, 31, 23, 59, 59, 999_000, timezone.utc).replace(tzinfo=None)
    values = (5e-324, -(2**63), "it's \u4e2d", True, instant, date(1, 1, 1), [0.1, 1e300], [instant], [0.1, -0.0])
    store(case, [(("AA",), 0, 1, values, "r1-x"), (("BB",), -1, 2, (None,) * len(KINDS), "r1-x")])
    first, second = sorted(latest(case))
    assert second == ("BB", -1, 2, *(None,) * len(KINDS))
    key, event, created, number, whole, text, flag, at, day, numbers, instants, vector = first
    assert (key, event, created, text, flag, at, day) == ("AA", 0, 1, "it's \u4e2d", "true", "-1", "0001-01-01")
    assert float(number) == 5e-324
    assert int(whole) == -(2**63)
    assert [float(each) for each in numbers] == [0.1, 1e300]
    assert instants == ["-1"]
    packed = [struct.unpack("f", struct.pack("f", float(each)))[0] for each in vector]
    assert packed == [struct.unpack("f", struct.pack("f", each))[0] for each in (0.1, -0.0)]
    assert math.copysign(1, packed[1]) == -1


@EXAMPLES
@given(st.floats())
def test_every_double_survives_as_text(value: float) -> None:
    """To the last bit, NaN and infinities too."""
    case = view_of(CARRIER, "Float64")
    store(case, [(("AA",), 0, 0, (value,), "r1-x")])
    found = float(latest(case)[0][3])
    assert found == value or (math.isnan(found) and math.isnan(value))
    assert math.isnan(value) or math.copysign(1, found) == math.copysign(1, value)


@EXAMPLES
@given(st.lists(LATEST_ROWS, min_size=8, max_size=16))
def test_the_newest_row_of_each_entity_among_the_runs_rows(rows: list[tuple[Any, ...]]) -> None:
    """Greatest event, created, values in declared order; other runs are not looked at."""
    case = view_of(ROUTE, "Float64", "String")
    store(case, rows)
    newest = newest_rows(rows, "r1-")
    found = {row[:2]: row[2:] for row in latest(case)}
    assert set(found) == set(newest)
    for keys, (event, created, values) in newest.items():
        e, c, number, text = found[keys]
        assert (e, c, text) == (event, created, values[1])
        assert (number is None) == (values[0] is None)
        assert number is None or rank([float(number)]) == rank([values[0]])


def test_rows_of_other_dates_are_not_read() -> None:
    """The scan is pruned to the dates that are given, both inclusive."""
    entity = Entity("day", (Column("on", "Date"), Column("flag", "Bool")))
    case = view_of(entity, "Int64")
    day = 86_400_000
    store(case, [((date(2024, 1, 1), True), at * day, 0, (at,), "r1-x") for at in range(4)])
    assert latest(case, from_date="1970-01-02", to_date="1970-01-03") == [(date(2024, 1, 1), True, 2 * day, 0, "2")]

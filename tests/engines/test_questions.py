"""Counts, quarantine, check, its failures, and the newest rows, on every engine."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.asked_engines import sized
from tests.support.compute_bulk import bulk_rows
from tests.support.compute_cases import CARRIER, COPIED, ROUTE, START_MS, WINDOWS, rows
from tests.support.compute_ground import WIDE_DATES, EngineGround, parameters_of
from tests.support.compute_questions import (
    LATEST_ROWS,
    LatestRow,
    latest_rows,
    newest_rows,
    too_late,
    view_of,
    without_key,
)
from tests.support.compute_runs import EXAMPLES, schedule
from tests.support.engine import Engine
from tests.support.engine_gaps import finest_us
from tests.support.tally import Tally
from tests.support.window_oracle import Case, Row, Work, rank

COUNTED = {name: {**WINDOWS, **COPIED}[name] for name in ("values", "shorter than a step", "with created")}
CHECKED = {"windows": WINDOWS["values"], "rows": COPIED["with created"]}
WORK = Work(START_MS - 7, START_MS + 13, START_MS - 7, START_MS + 50, START_MS + 46)
VALUES = {**parameters_of(WORK), "run": "r1-a"}
_SCALARS = ("Float64", "Int64", "String", "Bool", "Timestamp", "Date")
_KINDS = (*_SCALARS, "Array<Float64>", "Array<Timestamp>", "Array<Bool>", "Embedding<3>")


def assert_counts(ground: EngineGround, case: Case, table: list[Row], work: Work) -> int:
    """Counts and quarantine are those of the oracle; how many values were compared."""
    ground.create_source(case, table)
    lost, late = without_key(case, table, work), too_late(case, table, work)
    assert ground.ask(case, "counts", parameters_of(work))[0][:2] == (len(lost), len(late))
    assert len(ground.ask(case, "quarantine", parameters_of(work))) == len(lost)
    return ground.compared


@pytest.mark.parametrize("name", COUNTED)
def test_rows_without_a_key_and_rows_that_came_too_late(engine: Engine, tally: Tally, name: str) -> None:
    """Both are counted, and those without a key are set aside."""
    case = COUNTED[name]

    @settings(EXAMPLES, max_examples=sized(3, 8))
    @given(rows(case, 16, finest_us(engine.name)), st.integers(3, 8), st.integers(1, 12), st.integers(0, 2))
    def run(table: list[Row], first: int, second: int, look_back: int) -> None:
        work = schedule(case, first=first, second=second, look_back=look_back)[1]
        tally.add(engine.name, assert_counts(EngineGround(engine), case, table, work))

    run()
    table: list[Row] = list(bulk_rows(case, 1, 100, finest_us(engine.name)))
    work = schedule(case, first=6, second=8, look_back=1)[1]
    tally.add(engine.name, assert_counts(EngineGround(engine), case, table, work))


def staged(engine: Engine, case: Case) -> EngineGround:
    """Two good rows of an attempt in the staging table, and rubbish of another attempt."""
    ground = EngineGround(engine)
    ground.create_tables(case)
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day", "made"))
    keys = ({"origin": "JFK", "no": 1}, {"origin": "JFK", "no": 2})
    ground.create_source(case, [{**empty, **each, "happened": START_MS * 1000} for each in keys])
    first = {each.keys: each for each in reversed(ground.compute(case, WORK))}
    ground._found = [first[key] for key in sorted(first)]
    ground.stage(case, "r1-a")
    ground.staging += [{"origin": None, "run": "r1-b"}, {"origin": None, "run": "r1-b"}]
    ground.put(case)
    return ground


def _set(**changes: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda staging: staging[1].update(changes)


_DAY = datetime(2024, 3, 2)  # noqa: DTZ001  # the engines' timestamps have no zone


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize(
    ("change", "expected", "reason"),
    [
        (lambda _: None, (0, 0, 0, 0), None),
        (_set(no=None), (1, 0, 0, 0), "null_keys"),
        (lambda staging: staging.append(dict(staging[1])), (0, 1, 0, 0), "duplicates"),
        (_set(event_timestamp=None), (0, 0, 1, 0), "out_of_range"),
        (_set(event_timestamp=_DAY), (0, 0, 1, 0), "out_of_range"),
        (_set(event_timestamp=_DAY - timedelta(days=3)), (0, 0, 1, 0), "out_of_range"),
        (_set(available_timestamp=None), (0, 0, 0, 1), "unavailable"),
        (_set(available_timestamp=_DAY), (0, 0, 0, 1), "unavailable"),
    ],
)
def test_each_rule_is_broken_alone(
    engine: Engine,
    name: str,
    change: Callable[[list[dict[str, Any]]], None],
    expected: tuple[int, ...],
    reason: str | None,
) -> None:
    """One broken row is counted under its rule, and shown with it; another attempt's rows are not looked at."""
    case = CHECKED[name]
    ground = staged(engine, case)
    change(ground.staging)
    ground.put(case)
    ((_, *broken),) = ground.ask(case, "check", VALUES)
    assert tuple(broken) == expected
    assert [row[-1] for row in ground.ask(case, "check_failures", VALUES)] == ([reason] if reason else [])


def test_at_most_twenty_failures_are_shown(engine: Engine) -> None:
    """However many rows are broken."""
    ground = staged(engine, CHECKED["rows"])
    ground.staging += [{"origin": None, "run": "r1-a"}] * 50
    ground.put(CHECKED["rows"])
    assert len(ground.ask(CHECKED["rows"], "check_failures", VALUES)) == 20


def newest(engine: Engine, case: Case, stored: list[LatestRow], run: str = "r1-") -> list[tuple[Any, ...]]:
    """The rows of ``latest`` over a history."""
    ground = EngineGround(engine)
    ground.history = latest_rows(case, stored)
    ground.put(case)
    return ground.ask(case, "latest", {**WIDE_DATES, "run": run})


def test_the_newest_row_of_each_entity_among_the_runs_rows(engine: Engine, tally: Tally) -> None:
    """Greatest event, created, values in declared order; other runs are not looked at."""
    case = view_of(ROUTE, "Float64", "String")

    @settings(EXAMPLES, max_examples=sized(5, 15))
    @given(st.lists(LATEST_ROWS, min_size=8, max_size=60))
    def run(stored: list[LatestRow]) -> None:
        expected = newest_rows(stored, "r1-")
        found = {row[:2]: row[2:] for row in newest(engine, case, stored)}
        assert set(found) == set(expected)
        for keys, (event, created, values) in expected.items():
            e, c, number, text = found[keys]
            assert (e, c, text) == (event, created, values[1])
            assert (number is None) == (values[0] is None)
            assert number is None or rank([float(number)]) == rank([values[0]])
        tally.add(engine.name, 6 * len(found))

    run()


def test_texts_read_back_as_the_same_value(engine: Engine) -> None:
    """Every type, at its edges, and NULL."""
    case = view_of(CARRIER, *_KINDS)
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_000, timezone.utc).replace(tzinfo=None)
    vector = [0.3333333432674408, 16777217.0, 0.10000000149011612]  # of 32 bits but the second, which becomes one
    arrays = ([0.1, 1e300], [moment], [True, False], vector)
    values = (5e-324, -(2**63), "it's \u4e2d", True, moment, date(1, 1, 1), *arrays)
    stored: list[LatestRow] = [(("AA",), 0, 1, values, "r1-x"), (("BB",), -1, 2, (None,) * len(_KINDS), "r1-x")]
    first, second = sorted(newest(engine, case, stored))
    assert second == ("BB", -1, 2, *(None,) * len(_KINDS))
    key, event, created, number, whole, text, flag, at, day, numbers, moments, flags, floats = first
    assert (key, event, created, text, flag, at, day) == ("AA", 0, 1, "it's \u4e2d", "true", "-1", "0001-01-01")
    assert (float(number), int(whole)) == (5e-324, -(2**63))
    assert ([float(each) for each in numbers], moments, flags) == ([0.1, 1e300], ["-1"], ["true", "false"])
    packed = [struct.unpack("f", struct.pack("f", float(each)))[0] for each in floats]
    assert packed == [0.3333333432674408, 16777216.0, 0.10000000149011612]


def test_doubles_survive_as_text(engine: Engine) -> None:
    """To the last bit, NaN, infinities and the sign of zero too."""
    case = view_of(CARRIER, "Float64")
    values = [0.1, -0.0, 1e-3, 9.99e-4, 1e7, 9999999.5, 1 / 3, 2.0**53, 5e-324, 1.7976931348623157e308, -1e-310]
    values += [math.nan, math.inf, -math.inf, 4.35, 123456789.123, 0.1 + 0.2, 1e23, 2.2250738585072014e-308]
    stored: list[LatestRow] = [((str(i),), 0, 0, (value,), "r1-x") for i, value in enumerate(values)]
    found = {int(row[0]): float(row[3]) for row in newest(engine, case, stored)}
    assert [repr(found[i]) for i in range(len(values))] == [repr(value) for value in values]

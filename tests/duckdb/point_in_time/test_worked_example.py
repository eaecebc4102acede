"""The worked example of semantics.md, section 3, and its rules one at a time, written out by hand."""

from __future__ import annotations

from typing import Any, Literal

import duckdb
import pytest

from tests.support.pit_case import Case, CaseView, entity
from tests.support.pit_duckdb import ENGINES, answers, check

_HOUR_MS = 3_600_000
_DAY = 19_700 * 24 * _HOUR_MS
AIRPORT = entity("airport", airport="String")


def _at(clock: str) -> int:
    hours, minutes = clock.split(":")
    return _DAY + int(hours) * _HOUR_MS + int(minutes) * 60_000


def _row(value: str | None, event: str, created: str | None, airport: str = "JFK") -> dict[str, Any]:
    known = _at(event) if created is None else max(_at(event), _at(created))
    return {
        "airport": airport,
        "event": _at(event),
        "created": None if created is None else _at(created),
        "available": known,
        "value": value,
    }


def _case(
    label: str,
    rows: list[dict[str, Any]],
    *,
    as_of: Literal["served", "event"] = "served",
    ttl_ms: int | None = 24 * _HOUR_MS,
    known: str | None = None,
    airport: str | None = "JFK",
    pruned: bool = False,
) -> Case:
    view = CaseView("delay", AIRPORT, {"value": "String"}, rows, {"value": "value"}, ttl_ms, defaults={"value": "none"})
    entity_rows = [{"row_id": 0, "airport": airport, "label": _at(label), "note": None}]
    return Case(entity_rows, [view], as_of, known_as_of_ms=None if known is None else _at(known), pruned=pruned)


def _answers(connection: duckdb.DuckDBPyConnection, case: Case) -> set[Any]:
    """What the engines answer; one value where they agree, with each other and with the oracle."""
    check(case, connection)
    return {answers(case, connection, engine)[0]["value"] for engine in ENGINES.values()}


HISTORY = [_row("A", "08:00", "08:00"), _row("B", "09:00", "12:00"), _row("C", "10:00", "10:00")]


@pytest.mark.parametrize(
    ("label", "served", "event"),
    [("09:30", "A", "B"), ("11:00", "C", "C"), ("12:30", "C", "C"), ("07:59", "none", "none"), ("08:00", "A", "A")],
)
def test_worked_example(connection: duckdb.DuckDBPyConnection, label: str, served: str, event: str) -> None:
    """B is late: not known at 09:30, and no longer the newest when it is."""
    assert _answers(connection, _case(label, HISTORY)) == {served}
    assert _answers(connection, _case(label, HISTORY, as_of="event")) == {event}


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize(
    ("ttl_ms", "expected"),
    [(_HOUR_MS, "A"), (_HOUR_MS - 1, "none"), (0, "A"), (None, "A")],
)
def test_the_edge_of_the_ttl_is_inclusive_and_zero_never_expires(
    connection: duckdb.DuckDBPyConnection, ttl_ms: int | None, expected: str, pruned: bool
) -> None:
    """With scans pruned to the bounds of ttl and labels as well as without."""
    assert _answers(connection, _case("09:00", HISTORY[:1], ttl_ms=ttl_ms, pruned=pruned)) == {expected}


def test_an_expired_row_does_not_give_way_to_the_default_of_another(connection: duckdb.DuckDBPyConnection) -> None:
    """A newest row that is too old counts as absent; the older one behind it is not looked at."""
    late = _row("late", "08:00", "12:00")
    assert _answers(connection, _case("12:00", [*HISTORY[:1], late], ttl_ms=2 * _HOUR_MS)) == {"none"}


def test_a_null_in_the_chosen_row_is_a_value(connection: duckdb.DuckDBPyConnection) -> None:
    """Neither the default nor an older value takes its place."""
    assert _answers(connection, _case("11:00", [*HISTORY, _row(None, "10:30", "10:30")])) == {None}


@pytest.mark.parametrize("other", ["JF", "JFK ", "jfk", None])
def test_keys_are_compared_as_they_are(connection: duckdb.DuckDBPyConnection, other: str | None) -> None:
    assert _answers(connection, _case("11:00", HISTORY, airport=other)) == {"none"}


def test_a_row_without_created_time_is_the_lowest_of_its_event_time(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [_row("z", "08:00", None), _row("a", "08:00", "08:00")]
    assert _answers(connection, _case("11:00", rows)) == {"a"}


def test_the_greatest_values_break_a_remaining_tie(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [_row(value, "08:00", "08:00") for value in ("b", "c", None, "a")]
    assert _answers(connection, _case("11:00", rows)) == {"c"}


@pytest.mark.parametrize(("known", "expected"), [("07:00", "none"), ("09:00", "A"), ("10:00", "C")])
def test_a_pinned_dataset_does_not_see_later_rows(
    connection: duckdb.DuckDBPyConnection, known: str, expected: str
) -> None:
    assert _answers(connection, _case("13:00", HISTORY, known=known)) == {expected}

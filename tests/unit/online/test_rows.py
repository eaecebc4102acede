"""Entity rows become columns, keys and answers, each row's its own: beside a plain dictionary."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.errors import EntityRowsError
from asof.keys import MAX_KEY_BYTES, PartitionKeys
from asof.online.layout import OnlineRow
from asof.online.rows import EntityColumns
from asof.serve.lookup import OnlineLookup
from tests.support.fake_dynamodb import FakeDynamoDB
from tests.support.online import HOUR, MANIFEST, NOW, ROUTES, WEATHER, a_store, weather

STORED = {"A": (1.5, 0), "B": (None, 10), "C": (2.5, HOUR + 1), "D#": (3.5, HOUR)}
"""Wind and age of a row of ``WEATHER``, by its key; one is null, and one is too old."""


def weather_of(origin: str | None) -> tuple[Any, str, int | None]:
    """Value, status and event time that the wind of an airport has."""
    if origin not in STORED:
        return -1.0, "NOT_FOUND", None
    wind, age_ms = STORED[origin]
    if age_ms > HOUR:
        return -1.0, "OUTSIDE_MAX_AGE", NOW - age_ms
    return wind, "NULL_VALUE" if wind is None else "PRESENT", NOW - age_ms


ORIGINS = st.sampled_from([*STORED, "E", "D", None])
ROWS = st.lists(st.fixed_dictionaries({"origin": ORIGINS, "number": st.sampled_from([1, 2, None])}), max_size=12)


@settings(deadline=None)  # the first of them is slow, and a busy machine every one
@given(rows=ROWS, by_column=st.booleans())
def test_every_row_has_its_own_answer(rows: list[dict[str, Any]], by_column: bool) -> None:
    """Keys that are null, given twice, unknown, too old: in any mixture, of one entity and of two."""
    store = a_store(FakeDynamoDB())
    store.put(WEATHER, *(weather(name, wind, age_ms=age) for name, (wind, age) in STORED.items()))
    store.put(ROUTES, OnlineRow(("A", 1), NOW, None, (300, None)))
    lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
    given_rows: Any = {name: [row[name] for row in rows] for name in ("origin", "number")} if by_column else rows
    found = lookup.get_online_features(["routes:distance", "weather:wind"], given_rows)
    winds = [weather_of(row["origin"]) for row in rows]
    routes = [
        (300, "PRESENT", NOW) if row == {"origin": "A", "number": 1} else (None, "NOT_FOUND", None) for row in rows
    ]
    expected = [list(zip(*pair, strict=True)) for pair in zip(routes, winds, strict=True)]
    assert list(zip(found.values, found.statuses, found.event_timestamps, strict=True)) == [tuple(e) for e in expected]
    assert found.to_dict() == {
        "origin": [row["origin"] for row in rows],
        "number": [row["number"] for row in rows],
        "distance": [value for value, _, _ in routes],
        "wind": [value for value, _, _ in winds],
    }


def test_columns_come_in_the_order_asked() -> None:
    """Of one row and of several, though views are read one after the other and features as they are declared."""
    store = a_store(FakeDynamoDB())
    store.put(WEATHER, weather("A", 1.5))
    store.put(ROUTES, OnlineRow(("A", 1), NOW, None, (300, 4)))
    lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
    asked = ["weather:sky", "routes:legs", "weather:wind", "routes:distance"]
    for count in (1, 3):
        found = lookup.get_online_features(asked, {"origin": ["A"] * count, "number": [1] * count}).to_dict()
        del found["origin"], found["number"]
        assert list(found.items()) == [
            ("sky", ["clear"] * count),
            ("legs", [4] * count),
            ("wind", [1.5] * count),
            ("distance", [300] * count),
        ]


def test_answers_of_one_request_are_equal() -> None:
    store = a_store(FakeDynamoDB())
    store.put(WEATHER, weather("A", 1.5))
    lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
    one, again, other = (lookup.get_online_features("weather", [{"origin": name}]) for name in "AAB")
    assert one == again
    assert one != other


@pytest.mark.parametrize("kinds", [["Int64"], ["String"], ["String", "Int64"]])
def test_a_value_that_does_not_fit_is_named_with_its_row(kinds: list[str]) -> None:
    """After rows that fit, and after a null."""
    fitting: dict[str, Any] = {"Int64": 7, "String": "x"}
    columns = [[fitting[kind], None, fitting[kind], 2.5] for kind in kinds]
    with pytest.raises(EntityRowsError, match=rf"^entity row 3: key 2\.5 of .*declared {kinds[0]}"):
        PartitionKeys("e", kinds).of_rows(columns)


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u20ac", "#"])
@pytest.mark.parametrize("over", [0, 1])
def test_a_key_has_a_greatest_length_in_bytes(letter: str, over: int) -> None:
    """Exactly DynamoDB's limit is taken; what is longer is refused, with its row."""
    room = MAX_KEY_BYTES - len("e#s:")
    size = len(("%23" if letter == "#" else letter).encode())
    text = letter * (room // size) + "x" * (room % size + over)
    keys = PartitionKeys("e", ["String"])
    if over:
        with pytest.raises(EntityRowsError, match=r"^entity row 1: a key of entity 'e' is 2049 bytes long"):
            keys.of_rows([["a", text]])
    else:
        assert keys.of_rows([["a", text]]) == ["e#s:a", keys([text])]


@pytest.mark.parametrize("rows", [{"a": [1, 2]}, [{"a": 1}], [{"a": 1, "b": 2}, {"a": 1}]])
def test_a_column_that_is_missing_is_named_with_its_row(rows: Any) -> None:
    wanted = rf"entity row {1 if len(rows) == 2 else 0} has no column 'b', a key; it has \['a'\]"
    with pytest.raises(EntityRowsError, match=wanted):
        EntityColumns(rows).column("b", "a key")

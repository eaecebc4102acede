"""Rows as items."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asof.errors import EntityRowsError, ItemTooLargeError
from asof.manifest import Feature
from asof.online.layout import EXPIRY_SLACK_S, MAX_ITEM_BYTES, ItemLayout, OnlineRow, expiry_s, item_bytes
from tests.support.online import AIRPORT, DEPARTURES, ROUTE, ROUTES, WEATHER


def test_an_item_holds_keys_values_times_and_expiry() -> None:
    item = ItemLayout(WEATHER, AIRPORT).item(OnlineRow(("JFK",), 1_500, 1_700, (1.0, None)))
    packed = item.pop("v")["B"]
    assert isinstance(packed, bytes)
    assert item == {
        "pk": {"S": "airport#s:JFK"},
        "sk": {"S": "weather@v2"},
        "e": {"N": "1500"},
        "c": {"N": "1700"},
        "x": {"N": str(2 + 3600 + EXPIRY_SLACK_S)},
    }


def test_a_null_created_time_counts_as_the_event_time() -> None:
    assert ItemLayout(ROUTES, ROUTE).item(OnlineRow(("A", 1), 1_500, None, (1, 2)))["c"] == {"N": "1500"}


@pytest.mark.parametrize("view", [DEPARTURES, replace(WEATHER, ttl_ms=0, features=DEPARTURES.features)])
def test_what_never_expires_has_no_expiry(view: object) -> None:
    assert "x" not in ItemLayout(view, AIRPORT).item(OnlineRow(("A",), 1_500, None, (1, None)))  # type: ignore[arg-type]  # parametrized


@pytest.mark.parametrize(("event_ms", "ttl_ms", "second"), [(0, 1000, 1), (1, 1000, 2), (999, 1, 1), (-1, 1, 0)])
def test_dynamodb_never_deletes_before_the_ttl_is_over(event_ms: int, ttl_ms: int, second: int) -> None:
    """The expiry is rounded up to a second, and the slack comes on top."""
    assert expiry_s(event_ms, ttl_ms) == second + EXPIRY_SLACK_S


def test_the_number_of_keys_is_checked() -> None:
    with pytest.raises(EntityRowsError, match="'route' has 2 keys, but 1"):
        ItemLayout(ROUTES, ROUTE).item(OnlineRow(("A",), 0, None, (1, 2)))


def test_an_items_size_is_counted_with_its_names_and_bounded() -> None:
    """DynamoDB counts UTF-8 bytes of names and values; one byte too many is refused, with the size."""
    view = replace(ROUTES, features=(Feature("text", "String"),))
    layout = ItemLayout(view, ROUTE)
    empty = item_bytes(layout.item(OnlineRow(("é", 1), 0, None, ("",))))
    text = "x" * (MAX_ITEM_BYTES - empty)
    assert item_bytes(layout.item(OnlineRow(("é", 1), 0, None, (text,)))) == MAX_ITEM_BYTES
    with pytest.raises(ItemTooLargeError, match=rf"routes@v1 .*'route#s:é#i:1'.* {MAX_ITEM_BYTES + 1} bytes"):
        layout.item(OnlineRow(("é", 1), 0, None, (text + "x",)))

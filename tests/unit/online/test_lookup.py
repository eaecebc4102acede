"""Requests and responses, beside what every store must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from asof.clock import from_ms
from asof.errors import EntityRowsError, OnDemandError, RequestError, UnknownFeatureError
from asof.online.layout import OnlineRow
from asof.online.rows import EntityColumns
from asof.serve.lookup import OnlineLookup, get_online_features
from tests.support.fake_dynamodb import FakeDynamoDB
from tests.support.online import DEPARTURES, MANIFEST, NOW, ROUTES, SPEED, WEATHER, Store, a_store, weather


@pytest.fixture
def store() -> Store:
    return a_store(FakeDynamoDB())


def test_rows_and_columns_are_the_same_request() -> None:
    for given in ({"a": [1, 2], "b": ("x", "y")}, [{"a": 1, "b": "x"}, {"b": "y", "a": 2, "c": 3}]):
        rows = EntityColumns(given)
        assert (rows.count, rows.column("a", "a key"), rows.column("b", "a key")) == (2, [1, 2], ["x", "y"])
    nothing: list[Any] = [{"a": []}, [], {}]
    for each in nothing:
        rows = EntityColumns(each)
        assert (rows.count, rows.column("a", "a key"), rows.column("b", "a key")) == (0, [], [])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": [1], "b": [1, 2]}, r"\{'a': 1, 'b': 2\}"),
        ([{"a": 1}, 5], "entity row 1 is a int"),
        ({"a": "JFK"}, "list of values per column"),
    ],
)
def test_rows_of_other_shapes_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(EntityRowsError, match=message):
        EntityColumns(rows)


def test_a_response_tells_values_statuses_times_ages_and_as_of(store: Store) -> None:
    """Features in the order asked, keys first in the dict, columns nobody needs left out."""
    store.put(WEATHER, weather("JFK", 1.5, age_ms=100))
    store.put(DEPARTURES, OnlineRow(("JFK",), NOW - 200, None, (3, None)))
    store.publish_watermark(DEPARTURES, NOW - 50)
    response = get_online_features(
        MANIFEST,
        store.reader(),
        ["departures:delay_mean_1h", "weather:wind"],
        [{"origin": "JFK", "extra": 1}],
        clock=store.clock,
        full_feature_names=True,
    )
    assert response.names == ("departures__delay_mean_1h", "weather__wind")
    assert response.values == [(None, 1.5)]
    assert response.statuses == [("NULL_VALUE", "PRESENT")]
    assert response.event_timestamps == [(NOW - 200, NOW - 100)]
    assert response.ages == [(200, 100)]
    assert response.as_of_ms == {"departures@v1": NOW - 50, "weather@v2": None}
    assert response.to_dict() == {"origin": ["JFK"], "departures__delay_mean_1h": [None], "weather__wind": [1.5]}
    assert response.to_dict(include_event_timestamps=True)["weather__wind__ts"] == [from_ms(NOW - 100)]
    assert response.column("weather__wind").values == (1.5,)
    with pytest.raises(KeyError):
        response.column("extra")


def test_an_empty_request_has_every_column(store: Store) -> None:
    response = get_online_features(MANIFEST, store.reader(), ["speed", "weather"], [], clock=store.clock)
    assert response.to_dict() == {"origin": [], "number": [], "legs_per_hour": [], "wind": [], "sky": []}
    assert response.to_rows() == []


def test_on_demand_inputs_that_are_not_found_are_defaults(store: Store) -> None:
    """And the computed feature is PRESENT or NULL_VALUE, never NOT_FOUND; its age is its oldest input's."""
    store.put(ROUTES, OnlineRow(("A", 1), NOW - 9, None, (1, 2)))
    rows: dict[str, list[object]] = {"origin": ["A", "B", "B"], "number": [1, 1, 1], "hours": [2.0, 2.0, None]}
    response = OnlineLookup(MANIFEST, store.reader(), store.clock).get_online_features("speed", rows)
    assert response.values == [(1.0,), (3.5,), (None,)]
    assert response.statuses == [("PRESENT",), ("PRESENT",), ("NULL_VALUE",)]
    assert response.event_timestamps == [(NOW - 9,), (None,), (None,)]


def test_a_function_that_fails_is_named(store: Store) -> None:
    broken = replace(SPEED, code="def speed(inputs):\n    return {'legs_per_hour': 1 / 0}\n")
    manifest = replace(MANIFEST, on_demand_feature_views=(broken,))
    with pytest.raises(OnDemandError, match=r"speed@v1.*ZeroDivisionError"):
        get_online_features(
            manifest, store.reader(), "speed", [{"origin": "A", "number": 1, "hours": 1.0}], clock=store.clock
        )


def test_request_data_is_taken_as_its_declared_type(store: Store) -> None:
    """Instants are floored to milliseconds in UTC before a function sees them."""
    code = "def speed(inputs):\n    return {'legs_per_hour': inputs['at'].microsecond / 1.0}\n"
    view = replace(SPEED, inputs=(replace(SPEED.inputs[0], name="at", dtype="Timestamp"),), code=code)
    manifest = replace(MANIFEST, on_demand_feature_views=(view,))
    row = {"at": datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=timezone.utc)}
    response = get_online_features(manifest, store.reader(), "speed", [row], clock=store.clock)
    assert response.values == [(123_000.0,)]
    assert store.client.calls == []


def test_views_that_are_not_online_are_refused(store: Store) -> None:
    manifest = replace(MANIFEST, feature_views=(replace(WEATHER, online=False),))
    with pytest.raises(RequestError, match=r"weather@v2 is not served online"):
        get_online_features(manifest, store.reader(), "weather", [{"origin": "A"}], clock=store.clock)


def test_unknown_features_are_refused(store: Store) -> None:
    with pytest.raises(UnknownFeatureError, match="weather:wind"):
        get_online_features(MANIFEST, store.reader(), ["weather:win"], [{"origin": "A"}], clock=store.clock)

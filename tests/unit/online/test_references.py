"""From names to what must be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asof.errors import RequestError, UnknownFeatureError
from asof.manifest import (
    Column,
    Feature,
    FeatureReference,
    FeatureService,
    Manifest,
    OnDemandFeatureView,
    OnDemandInput,
)
from asof.references import find_feature_view, resolve
from tests.support.online import AIRPORT, DEPARTURES, MANIFEST, ROUTE, ROUTES, SPEED, WEATHER

OLD = replace(WEATHER, version=1, features=(*WEATHER.features, Feature("haze", "Float64")))
NEXT = replace(WEATHER, version=3, deprecated=True)
SERVICE = FeatureService("delays", 1, (FeatureReference("weather", 1, "haze"), FeatureReference("routes", 1, "legs")))
FULL = replace(
    MANIFEST,
    feature_views=(DEPARTURES, ROUTES, OLD, WEATHER, NEXT),
    feature_services=(SERVICE, replace(SERVICE, version=2, features=SERVICE.features[:1])),
)


def names(features: str | list[str], manifest: Manifest = FULL) -> list[str]:
    """The pinned references that ``features`` comes to."""
    return [str(each) for each in resolve(manifest, features).references]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("weather:wind", ["weather@v2:wind"]),
        ("weather@v1:wind", ["weather@v1:wind"]),
        ("weather@v3:wind", ["weather@v3:wind"]),
        ("weather", ["weather@v2:wind", "weather@v2:sky"]),
        ("weather@v1", ["weather@v1:wind", "weather@v1:sky", "weather@v1:haze"]),
        ("delays", ["weather@v1:haze"]),
        ("delays@v1", ["weather@v1:haze", "routes@v1:legs"]),
        ("speed", ["speed@v1:legs_per_hour"]),
        (["routes:legs", "weather:sky", "routes:legs"], ["routes@v1:legs", "weather@v2:sky"]),
        (["delays@v1", "weather:sky"], ["weather@v1:haze", "routes@v1:legs", "weather@v2:sky"]),
    ],
)
def test_names_are_pinned_in_the_order_asked(features: str | list[str], expected: list[str]) -> None:
    """The highest version that is not deprecated where none is given; a repetition counts once."""
    assert names(features) == expected


@pytest.mark.parametrize(
    ("features", "nearest"),
    [
        ("weather:wnd", "weather:wind"),
        ("wether:wind", "weather:wind"),
        ("weather@v9:wind", "weather@v2:wind"),
        ("delay", "delays"),
        ("wether", "weather"),
        ("weather@v7", "weather@v2"),
        ("weather:haze", "weather@v1:haze"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(features: str, nearest: str) -> None:
    with pytest.raises(UnknownFeatureError) as caught:
        resolve(FULL, features)
    assert nearest in caught.value.nearest


@pytest.mark.parametrize("features", ["", "Weather:wind", "weather@2:wind", "weather:", "a:b@v1:"])
def test_what_is_no_reference_is_refused_with_examples(features: str) -> None:
    with pytest.raises(RequestError, match=r"view@v2:feature|unknown"):
        resolve(FULL, features)


def test_nothing_asked_for_is_an_error() -> None:
    with pytest.raises(RequestError, match="no features are asked for"):
        resolve(FULL, [])


def test_a_view_with_only_deprecated_versions_must_be_pinned() -> None:
    manifest = replace(FULL, feature_views=(NEXT,))
    with pytest.raises(RequestError, match="'weather@v3'"):
        resolve(manifest, "weather:wind")
    assert names("weather@v3:wind", manifest) == ["weather@v3:wind"]


def test_features_are_read_once_in_declared_order_with_their_entity() -> None:
    resolved = resolve(FULL, ["weather:sky", "routes:legs", "weather:wind"])
    read = [(each.view.reference, each.entity.name, [f.name for f in each.features]) for each in resolved.views]
    assert read == [("weather@v2", "airport", ["wind", "sky"]), ("routes@v1", "route", ["legs"])]
    assert resolved.join_keys == (Column("origin", "String"), Column("number", "Int64"))


def test_inputs_of_on_demand_views_are_read_but_not_given() -> None:
    resolved = resolve(FULL, "speed:legs_per_hour")
    assert [column.name for column in resolved.columns] == ["legs_per_hour"]
    assert [each.view.reference for each in resolved.views] == ["routes@v1"]
    assert resolved.on_demand == (SPEED,)
    assert resolved.request_fields == (Column("hours", "Float64"),)
    assert resolved.join_keys == ROUTE.join_keys


def test_on_demand_views_come_after_those_they_need() -> None:
    inputs = (OnDemandInput("pace", "Float64", "speed", 1, "legs_per_hour"),)
    slow = OnDemandFeatureView("slow", 1, inputs, (Feature("is_slow", "Bool"),), "slow", "")
    manifest = replace(MANIFEST, on_demand_feature_views=(slow, SPEED))
    assert resolve(manifest, ["slow", "speed"]).on_demand == (SPEED, slow)
    loop = replace(slow, inputs=(OnDemandInput("is_slow", "Bool", "slow", 1, "is_slow"),))
    with pytest.raises(RequestError, match="slow@v1 depends on itself"):
        resolve(replace(MANIFEST, on_demand_feature_views=(loop,)), "slow")


def test_a_request_field_has_one_type() -> None:
    other = replace(SPEED, name="other", inputs=(OnDemandInput("hours", "Int64"),), features=(Feature("z", "Int64"),))
    with pytest.raises(RequestError, match=r"'hours' is declared Float64 and, by other@v1, Int64"):
        resolve(replace(MANIFEST, on_demand_feature_views=(SPEED, other)), ["speed", "other"])


def test_full_feature_names_keep_equal_names_apart() -> None:
    gusts = replace(WEATHER, name="gusts", version=1)
    manifest = replace(MANIFEST, feature_views=(gusts, WEATHER))
    with pytest.raises(RequestError, match=r"'gusts@v1:wind'.*'weather@v2:wind'.*full_feature_names=True") as caught:
        resolve(manifest, ["weather:wind", "gusts:wind"])
    assert "one of them" not in str(caught.value)
    columns = resolve(manifest, ["weather:wind", "gusts:wind"], full_feature_names=True).columns
    assert [column.name for column in columns] == ["weather__wind", "gusts__wind"]


def test_two_versions_of_one_feature_cannot_be_named_apart() -> None:
    with pytest.raises(RequestError, match="ask for one of them only"):
        resolve(FULL, ["weather@v1:wind", "weather@v2:wind"], full_feature_names=True)


@pytest.mark.parametrize(("taken", "whose"), [("origin", "a join key"), ("hours", "a request field")])
def test_a_feature_may_not_be_named_as_what_the_caller_gives(taken: str, whose: str) -> None:
    view = replace(WEATHER, features=(Feature(taken, "Float64"),))
    manifest = Manifest(entities=(AIRPORT, ROUTE), feature_views=(ROUTES, view), on_demand_feature_views=(SPEED,))
    with pytest.raises(RequestError, match=f"named '{taken}', and so is {whose}; use full_feature_names=True"):
        resolve(manifest, ["speed", f"weather:{taken}"])
    assert len(resolve(manifest, ["speed", f"weather:{taken}"], full_feature_names=True).columns) == 2


def test_a_feature_view_is_found_by_name_or_version() -> None:
    assert find_feature_view(FULL, "weather") is WEATHER
    assert find_feature_view(FULL, "weather@v1") is OLD
    with pytest.raises(UnknownFeatureError, match=r"unknown view .wether.; the nearest names are weather"):
        find_feature_view(FULL, "wether")
    for wrong in ("weather:wind", "speed"):
        with pytest.raises(RequestError, match=r"not a view|on-demand"):
            find_feature_view(FULL, wrong)

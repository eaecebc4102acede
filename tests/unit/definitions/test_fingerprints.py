"""Fingerprints: words and reorderings leave the meaning alone; each part of the meaning changes it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from asof import manifest
from asof.definitions import (
    Aggregation,
    BatchSource,
    Entity,
    Every,
    FeatureService,
    Field,
    Float64,
    Int64,
    OnDemandFeatureView,
    RequestSource,
    String,
)
from tests.support.definitions import aggregated, airport, compiled, departures, passthrough, selected

SQL = "SELECT origin, departed_at, dep_delay > 15 AS late FROM departures"
COUNT = Aggregation(function="count", time_windows=["1h", "24h"])
MEAN = Aggregation(function="mean", column="dep_delay", time_window="1h")


def _view(definition: Any) -> manifest.FeatureView:
    (found,) = compiled(definition).feature_views
    return found


def _source(**changes: Any) -> BatchSource:
    schema = {"origin": String, "dest": String, "dep_delay": Int64, "distance": Float64}
    return departures(schema=changes.pop("schema", schema), **changes)


WORDS: list[Any] = [
    {"description": "Other words."},
    {"owner": "others"},
    {"tags": {"a": "b"}},
    {"deprecated": True},
    {"schedule": "2h"},
    {"schedule": Every("1h", offset="5m")},
    {"freshness": "3d"},
    {"on_stale": "fail"},
    {"online": False},
    {"source": departures(name="flights")},
    {"source": departures(lateness="1d")},
    {"source": departures(date_partition_column="day")},
    {"aggregations": [Aggregation(function="count", time_windows=["1h", "24h"], description="Rows."), MEAN]},
]

MEANING: list[Any] = [
    {"entity": Entity(name="gate", join_keys={"origin": String})},
    {"entity": Entity(name="airport", join_keys={"dest": String})},
    {"entity": Entity(name="airport", join_keys={"origin": String, "dest": String})},
    {"entity": Entity(name="airport", join_keys={"origin": Int64}), "source": _source(schema={
        "origin": Int64, "dep_delay": Int64})},
    {"source": departures(table="nyc.flights")},
    {"source": departures(table=None, path="s3://bucket-1/departures/")},
    {"source": departures(timestamp_field="scheduled_at")},
    {"source": departures(created_timestamp_column="seen_at")},
    {"source": _source(schema={"origin": String, "dep_delay": Float64})},
    {"where": "dep_delay > 15"},
    {"publish_delay": "1s"},
    {"defaults": {"count_1h": 0}},
    {"aggregations": [COUNT]},
    {"aggregations": [MEAN, COUNT]},
    {"aggregations": [COUNT, Aggregation(function="stddev", column="dep_delay", time_window="1h",
                                         name="dep_delay_mean_1h")]},
    {"aggregations": [COUNT, Aggregation(function="mean", column="distance", time_window="1h",
                                         name="dep_delay_mean_1h")]},
    {"aggregations": [COUNT, Aggregation(function="mean", column="dep_delay", time_window="2h",
                                         name="dep_delay_mean_1h")]},
    {"aggregations": [COUNT, Aggregation(function="mean", column="dep_delay", time_window="1h", name="delay")]},
]  # fmt: skip


@pytest.mark.parametrize("changes", WORDS, ids=[",".join(changes) for changes in WORDS])
def test_words_change_the_metadata_alone(changes: dict[str, Any]) -> None:
    before, after = _view(aggregated()), _view(aggregated(**changes))
    assert after.data_fingerprint == before.data_fingerprint
    assert after.metadata_fingerprint != before.metadata_fingerprint


@pytest.mark.parametrize("changes", MEANING, ids=[",".join(changes) for changes in MEANING])
def test_each_part_of_the_meaning_changes_the_data_fingerprint(changes: dict[str, Any]) -> None:
    assert _view(aggregated(**changes)).data_fingerprint != _view(aggregated()).data_fingerprint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda: selected(SQL), lambda: selected(SQL.replace("15", "16"))),
        (lambda: selected(SQL), lambda: selected(SQL, where="distance > 1")),
        (passthrough, lambda: passthrough(ttl="1d")),
        (passthrough, lambda: passthrough(schema=[Field(name="dep_delay", dtype=Int64, default=0)])),
        (passthrough, lambda: passthrough(schema=[Field(name="distance", dtype=Float64)])),
    ],
)
def test_meaning_that_other_kinds_of_view_have(first: Any, second: Any) -> None:
    assert _view(first()).data_fingerprint != _view(second()).data_fingerprint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (aggregated, aggregated),
        (lambda: passthrough(where="dep_delay>15"), lambda: passthrough(where="DEP_DELAY  > 15 -- late")),
        (lambda: selected(SQL), lambda: selected(SQL.lower().replace(" as ", "\n  AS "))),
        (aggregated, lambda: aggregated(source=departures(description="words", owner="x", tags={"a": "b"}))),
        (lambda: passthrough(ttl=None), lambda: passthrough(ttl="0s")),
        (lambda: passthrough(ttl="24h"), lambda: passthrough(ttl="1d")),
        (lambda: passthrough(tags={"a": "1", "b": "2"}), lambda: passthrough(tags={"b": "2", "a": "1"})),
        (
            lambda: passthrough(entity=airport()),
            lambda: passthrough(entity=Entity(name="airport", join_keys={"origin": String}, description="words")),
        ),
        (
            passthrough,
            lambda: passthrough(source=_source(schema={"dep_delay": Int64, "extra": Float64, "origin": String})),
        ),
    ],
)
def test_what_changes_no_fingerprint(first: Any, second: Any) -> None:
    before, after = _view(first()), _view(second())
    assert after.data_fingerprint == before.data_fingerprint
    assert after.metadata_fingerprint == before.metadata_fingerprint


def test_the_rendered_queries_are_in_no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _view(passthrough())
    monkeypatch.setattr("asof.sql.queries.render_queries", lambda *_: {"compute": "SELECT better"})
    after = _view(passthrough())
    assert after == dataclasses.replace(before, queries={"compute": "SELECT better"})


def test_a_services_meaning_is_its_pinned_features_in_order() -> None:
    def service(*features: Any, **changes: Any) -> manifest.FeatureService:
        view = FeatureService(name="model", features=list(features), **changes)
        return compiled(aggregated(), passthrough(), view).feature_services[0]

    plain = service("plain:dep_delay", "windows:count_1h")
    assert service(passthrough(), "windows@v1:count_1h").data_fingerprint == plain.data_fingerprint
    assert service("windows:count_1h", "plain:dep_delay").data_fingerprint != plain.data_fingerprint
    worded = service("plain:dep_delay", "windows:count_1h", description="words")
    assert worded.data_fingerprint == plain.data_fingerprint
    assert worded.metadata_fingerprint != plain.metadata_fingerprint


CODE = 'def f(inputs):\n    return {"y": inputs["x"]}\n'


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"description": "words"}, True),
        ({"deprecated": True}, True),
        ({"code": 'def f(inputs):\n    """Words."""\n    return {"y": inputs["x"]}  # words\n'}, True),
        ({"code": CODE.replace('"x"', '"z"')}, False),
        ({"schema": [Field(name="y", dtype=Int64, default=1)]}, False),
        ({"schema": [Field(name="y", dtype=Float64)]}, False),
        ({"sources": [RequestSource(name="request", schema=[Field(name="x", dtype=Int64)])]}, False),
    ],
)
def test_an_on_demand_views_meaning_is_its_inputs_features_and_code(changes: dict[str, Any], same: bool) -> None:
    def view(**changes: Any) -> manifest.OnDemandFeatureView:
        arguments: dict[str, Any] = {
            "name": "f",
            "function": "f",
            "code": CODE,
            "sources": [
                RequestSource(name="request", schema=[Field(name="x", dtype=Int64), Field(name="z", dtype=Int64)])
            ],
            "schema": [Field(name="y", dtype=Int64)],
        }
        return compiled(OnDemandFeatureView(**arguments | changes)).on_demand_feature_views[0]

    before, after = view(), view(**changes)
    assert (after.data_fingerprint == before.data_fingerprint) is same
    if same:
        assert after.metadata_fingerprint != before.metadata_fingerprint


def test_the_order_of_an_on_demand_views_inputs_is_no_meaning() -> None:
    def view(*names: str) -> manifest.OnDemandFeatureView:
        request = RequestSource(name="request", schema=[Field(name=name, dtype=Int64) for name in names])
        definition = OnDemandFeatureView(
            name="f", function="f", code=CODE, sources=[request], schema=[Field(name="y", dtype=Int64)]
        )
        return compiled(definition).on_demand_feature_views[0]

    assert view("x", "z") == view("z", "x")

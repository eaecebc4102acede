"""The rules over several definitions: what each finds, and that it finds nothing where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from asof.definitions import (
    Aggregation,
    BatchSource,
    Bool,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    Float64,
    Int64,
    String,
)
from tests.support.definitions import aggregated, airport, complaints, departures, passthrough


def _aggregating(**arguments: Any) -> FeatureView:
    return aggregated(aggregations=[Aggregation(**arguments)])


def test_sound_definitions_have_no_problems() -> None:
    assert complaints(passthrough(), aggregated(), FeatureService(name="model", features=["plain:dep_delay"])) == []


def test_the_same_definition_twice_is_one() -> None:
    assert complaints(airport(), airport(), passthrough(), passthrough()) == []


def test_one_name_for_two_contents_is_a_problem_that_says_where_the_first_is() -> None:
    (entity,) = complaints(airport(), Entity(name="airport", join_keys={"code": String}))
    assert entity.startswith("Entity 'airport' is already defined at tests/")
    (view,) = complaints(passthrough(), passthrough(description="other words"))
    assert view.startswith("FeatureView 'plain@v1' is already defined at tests/")
    assert complaints(passthrough(), passthrough(version=2, description="other words")) == []


def test_a_join_key_has_one_type_everywhere() -> None:
    other = Entity(name="gate", join_keys={"origin": Int64})
    assert complaints(airport(), other) == [
        "join key 'origin' is Int64 in entity 'gate' but String in entity 'airport'"
    ]


def test_tables_of_views_and_sources_are_distinct() -> None:
    source = BatchSource(
        name="x_v1", path="s3://bucket-1/x/", schema={"origin": String, "dep_delay": Int64}, timestamp_field="at"
    )
    (what,) = complaints(passthrough(name="src_x", source=source))
    assert what == "view 'src_x@v1' and source 'x_v1' would both have the table 'src_x_v1'"


def test_full_names_of_features_are_distinct() -> None:
    source = departures(schema={"origin": String, "b__c": Int64, "c": Int64})
    first = passthrough(name="a", source=source, schema=[Field(name="b__c", dtype=Int64)])
    second = passthrough(name="a__b", source=source, schema=[Field(name="c", dtype=Int64)])
    assert complaints(first, second) == ["a__b:c and a:b__c both have the full name 'a__b__c'"]


@pytest.mark.parametrize(
    ("changes", "whats"),
    [
        (
            {"schema": [Field(name="origin", dtype=String)] * 2},
            ["source 'departures' declares column 'origin' 2 times"],
        ),
        ({"schema": {"origin": String, "Dep Delay": Int64}}, ["source 'departures' cannot have a column 'Dep Delay'"]),
        (
            {"schema": {"origin": String, "departed_at": String}},
            ["column 'departed_at' of source 'departures' must be Timestamp, not String"],
        ),
        (
            {"schema": {"origin": String, "day": Int64}, "date_partition_column": "day"},
            ["column 'day' of source 'departures' must be String, not Int64"],
        ),
        (
            {"date_partition_column": "departed_at"},
            ["source 'departures' has 'departed_at' both as a time and as its date partition"],
        ),
    ],
)
def test_columns_of_sources(changes: dict[str, Any], whats: list[str]) -> None:
    assert complaints(departures(**changes)) == whats


@pytest.mark.parametrize(
    ("view", "whats"),
    [
        (
            lambda: passthrough(entity=Entity(name="plane", join_keys={"tailnum": String})),
            ["view 'plain': source 'departures' has no column for join key 'tailnum'"],
        ),
        (
            lambda: passthrough(entity=Entity(name="plane", join_keys={"dest": Int64})),
            ["view 'plain': join key 'dest' is Int64 in entity 'plane' but String in source 'departures'"],
        ),
        (
            lambda: passthrough(schema=[Field(name="arr_delay", dtype=Int64)]),
            ["view 'plain': source 'departures' has no column 'arr_delay'"],
        ),
        (
            lambda: passthrough(schema=[Field(name="dep_delay", dtype=Float64)]),
            ["view 'plain': feature 'dep_delay' is Float64 but Int64 in source 'departures'"],
        ),
        (
            lambda: _aggregating(function="max", column="dep_dely", time_window="1h"),
            ["view 'windows': source 'departures' has no column 'dep_dely'"],
        ),
        (
            lambda: _aggregating(function="mean", column="cancelled", time_window="1h"),
            ["view 'windows': mean does not take column 'cancelled', which is Bool"],
        ),
        (
            lambda: _aggregating(function="count", time_window="1h", name="origin"),
            ["view 'windows': feature 'origin' has the name of a join key"],
        ),
        (
            lambda: _aggregating(function="count", time_window="1h", name="run"),
            ["view 'windows': feature 'run' has the name of a column that every history table has"],
        ),
        (
            lambda: _aggregating(function="count", time_windows=["1h", "1h"]),
            ["view 'windows' has 2 features called 'count_1h'"],
        ),
        (
            lambda: _aggregating(function="count", time_window="1h", name="Count"),
            ["view 'windows': the feature name 'Count' is not usable"],
        ),
        (
            lambda: _aggregating(function="mean", column="dep_delay", time_window="1h", default="none"),
            ["view 'windows': the default of 'dep_delay_mean_1h' does not fit Float64: 'none' is a str, not a float"],
        ),
        (
            lambda: aggregated(defaults={"count_1h": 0.5, "cont_24h": 0}),
            [
                "view 'windows': defaults name no feature 'cont_24h'",
                "view 'windows': the default of 'count_1h' does not fit Int64: 0.5 is a float, not an int",
            ],
        ),
        (
            lambda: passthrough(schema=[Field(name="dep_delay", dtype=Int64, default=1)], defaults={"dep_delay": 2}),
            ["view 'plain': feature 'dep_delay' has two defaults"],
        ),
        (
            lambda: aggregated(freshness="90m", publish_delay="31m"),
            ["view 'windows' can never stay as fresh as 1h30m: just before a run its data are 1h31m old"],
        ),
    ],
)
def test_what_a_view_reads_and_gives(view: Any, whats: list[str]) -> None:
    assert sorted(complaints(view())) == whats


def test_a_default_of_zero_or_false_is_a_default() -> None:
    source = departures(schema={"origin": String, "late": Bool})
    late = Field(name="late", dtype=Bool, default=False)
    view = passthrough(source=source, schema=[late], defaults={"late": True})
    assert complaints(view) == ["view 'plain': feature 'late' has two defaults"]

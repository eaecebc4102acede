"""Each constructor, outside discovery: what it takes, and what it complains of, all at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from asof.definitions import (
    Aggregation,
    Array,
    BatchSource,
    Date,
    Entity,
    Every,
    FeatureService,
    FeatureView,
    Field,
    Float64,
    Int64,
    String,
    Timestamp,
)
from asof.errors import DefinitionError
from tests.support.definitions import aggregated, airport, departures, passthrough


def _whats(construct: Callable[..., object], **arguments: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        construct(**arguments)
    return [problem.what for problem in caught.value.problems]


def test_a_mistaken_constructor_tells_all_its_mistakes_with_file_and_line() -> None:
    with pytest.raises(DefinitionError) as caught:
        Entity(name="Bad Name", join_keys={"run": Float64}, ownr="me")  # type: ignore[call-arg]
    problems = caught.value.problems
    assert [problem.what for problem in problems] == [
        "Entity 'Bad Name': the join key 'run' cannot be Float64",
        "Entity 'Bad Name': the join key 'run' is a column of every history table",
        "Entity 'Bad Name': the name 'Bad Name' is not usable",
        "Entity 'Bad Name': there is no argument 'ownr'",
    ]
    assert {problem.file for problem in problems} == {"tests/unit/definitions/test_constructors.py"}
    assert len({problem.line for problem in problems}) == 1
    assert problems[3].fix == "did you mean 'owner'?"


def test_definitions_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        airport().name = "other"


def test_definitions_are_equal_where_they_say_the_same_wherever_they_stand() -> None:
    first = airport()
    second = airport()
    assert first == second
    assert first != Entity(name="airport", join_keys={"origin": Int64})


def test_the_order_of_join_keys_is_kept() -> None:
    assert list(Entity(name="route", join_keys={"origin": String, "dest": String}).join_keys) == ["origin", "dest"]


@pytest.mark.parametrize("keys", [{}, {"Origin": String}, {"created_timestamp": String}, {"at": Timestamp}])
def test_join_keys_that_cannot_be(keys: dict[str, Any]) -> None:
    assert len(_whats(Entity, name="airport", join_keys=keys)) == 1


def test_a_join_key_whose_type_is_text_is_named() -> None:
    assert _whats(Entity, name="airport", join_keys={"origin": "String"}) == [
        "Entity 'airport': join_keys['origin']='String' is not a type"
    ]


@pytest.mark.parametrize("value", [timedelta(hours=1, minutes=30), "90m", "1h30m"])
def test_a_duration_is_a_timedelta_or_text(value: Any) -> None:
    assert Every(value).step_ms == 5_400_000


@pytest.mark.parametrize(
    "value", ["", "1 h", "soon", 5, 1.5, True, timedelta(microseconds=1), timedelta(days=-1), None]
)
def test_anything_else_is_no_duration(value: Any) -> None:
    assert "is not a duration" in _whats(Every, step=value)[0]


def test_a_grid_has_a_step_and_an_offset_within_it() -> None:
    assert Every("1h", offset="5m").offset_ms == 300_000
    assert _whats(Every, step="0s") == ["Every: step='0s' must be longer than nothing"]
    assert _whats(Every, step="1h", offset="1h") == ["Every: the offset must be shorter than the step"]


def test_other_arguments_are_not_taken_by_position() -> None:
    with pytest.raises(DefinitionError, match="takes its arguments by name"):
        Entity("airport", join_keys={"origin": String})  # type: ignore[call-arg]


def test_the_schema_of_a_source_is_a_mapping_or_fields() -> None:
    listed = departures(schema=[Field(name="origin", dtype=String)])
    assert listed == departures(schema={"origin": String})
    assert "schema must be a list" in _whats(departures, schema=["origin"])[0]
    assert "schema['origin']='str' is not a type" in _whats(departures, schema={"origin": "str"})[0]


def test_a_source_is_a_table_or_a_path() -> None:
    assert departures(table=None, path="s3://bucket-1/prefix/").path == "s3://bucket-1/prefix/"
    for mistaken in (
        {"path": "s3://bucket-1/x/"},
        {"table": None},
        {"table": "departures"},
        {"table": "Nyc.Departures"},
    ):
        assert len(_whats(departures, **mistaken)) == 1
    for path in ("s3://bucket-1", "https://bucket/x", "/data", "s3://bucket-1/*.parquet"):
        assert "is not an S3 prefix" in _whats(departures, table=None, path=path)[0]


def test_the_columns_of_a_source_include_those_with_a_role() -> None:
    source = departures(
        schema={"origin": String}, created_timestamp_column="created", date_partition_column="departed_on"
    )
    assert source.columns() == {
        "origin": String,
        "departed_at": Timestamp,
        "created": Timestamp,
        "departed_on": String,
    }


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"function": "count", "time_window": "1h"}, ["count_1h"]),
        ({"function": "count", "column": "dest", "time_window": "24h"}, ["dest_count_24h"]),
        ({"function": "mean", "column": "d", "time_windows": ["1h", timedelta(days=1)]}, ["d_mean_1h", "d_mean_1d"]),
        ({"function": "mean", "column": "d", "time_window": "1h", "name": "delay"}, ["delay"]),
        ({"function": "mean", "column": "d", "time_windows": ["1h", "3h"], "name": "delay"}, ["delay_1h", "delay_3h"]),
    ],
)
def test_features_of_an_aggregation_are_named_after_column_function_and_window(
    arguments: dict[str, Any], names: list[str]
) -> None:
    assert [window.feature for window in Aggregation(**arguments).windows()] == names


@pytest.mark.parametrize(
    "arguments",
    [
        {"function": "median", "column": "d", "time_window": "1h"},
        {"function": "mean", "time_window": "1h"},
        {"function": "count"},
        {"function": "count", "time_window": "1h", "time_windows": ["1h"]},
        {"function": "count", "time_window": "0s"},
        {"function": "count", "time_windows": ["1h", "x"]},
    ],
)
def test_aggregations_that_cannot_be(arguments: dict[str, Any]) -> None:
    assert len(_whats(Aggregation, **arguments)) == 1


@pytest.mark.parametrize(
    ("function", "column", "result"),
    [
        ("count", String, Int64),
        ("count_distinct", String, Int64),
        ("count_distinct", Array(Int64), None),
        ("sum", Int64, Int64),
        ("sum", Float64, Float64),
        ("sum", String, None),
        ("mean", Int64, Float64),
        ("stddev", Date, None),
        ("min", Date, Date),
        ("max", Array(Int64), None),
        ("last", String, String),
        ("first", Array(Int64), None),
    ],
)
def test_the_type_of_a_result(function: str, column: Any, result: Any) -> None:
    assert Aggregation(function=function, column="c", time_window="1h").result(column) == result


def test_a_default_must_fit_its_field() -> None:
    assert Field(name="a", dtype=Float64, default=0).default == 0
    assert _whats(Field, name="a", dtype=Int64, default=0.5) == [
        "Field 'a': the default does not fit Int64: 0.5 is a float, not an int"
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"schema": []}, "has no features"),
        ({"sql": "SELECT 1", "schema": []}, "sql needs a schema"),
        ({"aggregations": [Aggregation(function="count", time_window="1h")]}, "has both aggregations and schema"),
        ({"version": 0}, "version=0 is not a version"),
        ({"entity": "airport"}, "entity='airport' is not allowed here"),
        ({"source": airport()}, "source=Entity('airport') is not allowed here"),
        ({"schema": [Int64]}, "schema[0]=Int64 is not allowed here"),
        ({"schedule": "hourly"}, "schedule='hourly' is not a schedule"),
        ({"schedule": "0s"}, "schedule='0s' is not a schedule"),
        ({"on_stale": "shrug"}, "on_stale='shrug': input should be 'serve', 'default' or 'fail'"),
        ({"ttl": 5}, "ttl=5 is not a duration"),
        ({"freshness": "0s"}, "freshness='0s' must be longer than nothing"),
        ({"publish_delay": timedelta(seconds=-1)}, "publish_delay=datetime.timedelta(days=-1, seconds=86399) is not"),
        ({"online": 1}, "online=1: input should be a valid boolean"),
        ({"tags": {"a": 1}}, "tags['a']=1: input should be a valid string"),
    ],
)
def test_feature_views_that_cannot_be(changes: dict[str, Any], what: str) -> None:
    (complaint,) = _whats(passthrough, **changes)
    assert complaint.startswith(f"FeatureView 'plain': {what}")


def test_an_aggregation_view_takes_no_ttl() -> None:
    assert _whats(aggregated, ttl="1d") == ["FeatureView 'windows': an aggregation view takes no ttl"]


def test_durations_that_may_be_nothing() -> None:
    view = passthrough(ttl=0, publish_delay=0)
    assert (view.ttl, view.publish_delay) == (0, 0)


def test_features_are_picked_by_name_with_brackets() -> None:
    view = aggregated()
    assert view[["count_24h", "count_1h"]].features == ("count_24h", "count_1h")
    assert view["count_1h"] == view[["count_1h"]]
    with pytest.raises(DefinitionError, match=r"has no feature 'count_2h'.*the nearest names are count_24h, count_1h"):
        view[["count_2h"]]


def test_a_service_takes_views_selections_and_text() -> None:
    view = aggregated()
    service = FeatureService(name="model", features=[view, view[["count_1h"]], "windows:count_1h"])
    assert len(service.features) == 3
    assert _whats(FeatureService, name="model", features=[5]) == [
        "FeatureService 'model': features[0]=5 is not allowed here"
    ]
    assert len(_whats(FeatureService, name="model", features="windows:count_1h")) == 1


def test_required_arguments_are_named() -> None:
    assert _whats(FeatureView) == [
        "FeatureView: entity is missing",
        "FeatureView: has no features",
        "FeatureView: name is missing",
        "FeatureView: source is missing",
    ]
    assert "BatchSource: timestamp_field is missing" in _whats(BatchSource)

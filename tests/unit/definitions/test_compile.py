"""Compiling: everything resolved, in canonical order, in milliseconds, with defaults as JSON spells them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from asof import manifest
from asof.definitions import (
    Aggregation,
    Array,
    Date,
    Definitions,
    Embedding,
    Every,
    FeatureService,
    Field,
    Float64,
    Int64,
    Timestamp,
    compile_definitions,
    compile_path,
)
from asof.errors import DefinitionError
from tests.support.definitions import aggregated, airport, compiled, departures, folder, passthrough

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def test_an_aggregation_view_in_full() -> None:
    view = aggregated(
        where="NOT cancelled",
        schedule=Every("1h", offset=timedelta(minutes=5)),
        publish_delay="90s",
        freshness="1d",
        on_stale="default",
        defaults={"count_1h": 0},
        online=False,
        description="Departures.",
        owner="team",
        tags={"tier": "1"},
    )
    (found,) = compiled(view).feature_views
    assert found.data_fingerprint != found.metadata_fingerprint
    assert found == manifest.FeatureView(
        name="windows",
        version=1,
        entity="airport",
        source="departures",
        kind="aggregation",
        features=(
            manifest.Feature("count_1h", "Int64", 0),
            manifest.Feature("count_24h", "Int64"),
            manifest.Feature("dep_delay_mean_1h", "Float64"),
        ),
        aggregations=(
            manifest.Aggregation("count_1h", "count", None, 3_600_000),
            manifest.Aggregation("count_24h", "count", None, 86_400_000),
            manifest.Aggregation("dep_delay_mean_1h", "mean", "dep_delay", 3_600_000),
        ),
        where='NOT "cancelled"',
        step_ms=3_600_000,
        offset_ms=300_000,
        publish_delay_ms=90_000,
        freshness_ms=86_400_000,
        on_stale="default",
        online=False,
        description="Departures.",
        owner="team",
        tags={"tier": "1"},
        queries={"compute": "SELECT 'windows', 'airport' FROM departures"},
        data_fingerprint=found.data_fingerprint,
        metadata_fingerprint=found.metadata_fingerprint,
    )


def test_entities_and_sources_of_views_are_compiled_with_them() -> None:
    source = departures(
        table=None, path="s3://bucket-1/prefix", lateness="2h", created_timestamp_column="seen_at",
        date_partition_column="day",
    )  # fmt: skip
    result = compiled(passthrough(source=source))
    assert result.entities == (manifest.Entity("airport", (manifest.Column("origin", "String"),)),)
    (found,) = result.sources
    assert (found.path, found.lateness_ms) == ("s3://bucket-1/prefix/", 7_200_000)
    assert [(column.name, column.dtype) for column in found.columns] == [
        ("cancelled", "Bool"),
        ("day", "String"),
        ("dep_delay", "Int64"),
        ("departed_at", "Timestamp"),
        ("dest", "String"),
        ("distance", "Float64"),
        ("origin", "String"),
        ("seen_at", "Timestamp"),
        ("vector", "Embedding<3>"),
    ]  # fmt: skip


def test_a_ttl_of_nothing_means_no_ttl() -> None:
    assert compiled(passthrough(ttl=0)).feature_views[0].ttl_ms is None
    assert compiled(passthrough(ttl="1d")).feature_views[0].ttl_ms == 86_400_000


@pytest.mark.parametrize(
    ("dtype", "default", "spelled"),
    [
        (Int64, 3, 3),
        (Float64, 3, 3.0),
        (Float64, float("nan"), "NaN"),
        (Float64, float("inf"), "Infinity"),
        (Float64, float("-inf"), "-Infinity"),
        (Timestamp, NOON.astimezone(timezone(timedelta(hours=2))), "2026-01-31T12:00:00Z"),
        (Timestamp, NOON.replace(microsecond=1_999), "2026-01-31T12:00:00.001Z"),
        (Date, date(2026, 1, 31), "2026-01-31"),
        (Array(Float64), (1, float("nan")), [1.0, "NaN"]),
        (Embedding(2), [0.1, 0], [0.10000000149011612, 0.0]),
    ],
)
def test_defaults_are_spelled_as_json(dtype: Any, default: Any, spelled: Any) -> None:
    source = departures(schema={"origin": airport().join_keys["origin"], "column": dtype})
    view = passthrough(source=source, schema=[Field(name="column", dtype=dtype)], defaults={"column": default})
    (feature,) = compiled(view).feature_views[0].features
    assert feature.default == spelled
    assert type(feature.default) is type(spelled)


def test_everything_is_sorted_by_name_and_version() -> None:
    views = [passthrough(name=name, version=version) for name, version in (("b", 10), ("b", 9), ("a", 1))]
    services = [FeatureService(name=name, features=["a:dep_delay"]) for name in ("z", "y")]
    result = compiled(*views, *services)
    assert [view.reference for view in result.feature_views] == ["a@v1", "b@v9", "b@v10"]
    assert [service.name for service in result.feature_services] == ["y", "z"]
    assert compiled(*reversed(services), *reversed(views)).to_json() == result.to_json()


def test_a_folder_compiles_to_what_its_files_say(tmp_path: Path) -> None:
    text = """
    airport = Entity(name="airport", join_keys={"origin": String})
    source = BatchSource(
        name="departures",
        table="nyc.departures",
        schema={"origin": String, "dep_delay": Int64},
        timestamp_field="departed_at",
    )
    view = FeatureView(name="delay", entity=airport, source=source, schema=[Field(name="dep_delay", dtype=Int64)])

    @on_demand_feature_view(
        sources=[view, RequestSource(name="request", schema=[Field(name="scheduled", dtype=Int64)])],
        schema=[Field(name="late", dtype=Bool, default=False)],
    )
    def lateness(inputs):
        return {"late": (inputs["dep_delay"] or 0) > inputs["scheduled"]}

    service = FeatureService(name="model", features=[lateness, "delay:dep_delay"])
    """
    result = compile_path(folder(tmp_path, {"all.py": text}))
    (view,) = result.on_demand_feature_views
    assert view.code == (
        'def lateness(inputs):\n    return {"late": (inputs["dep_delay"] or 0) > inputs["scheduled"]}\n'
    )
    assert view.features == (manifest.Feature("late", "Bool", False),)
    (service,) = result.feature_services
    assert [str(each) for each in service.features] == ["lateness@v1:late", "delay@v1:dep_delay"]
    assert manifest.Manifest.from_json(result.to_json()) == result


def test_problems_are_told_before_anything_is_compiled() -> None:
    mistaken = passthrough(schema=[Field(name="nowhere", dtype=Int64)])
    with pytest.raises(DefinitionError, match="has no column 'nowhere'"):
        compile_definitions(Definitions.of([mistaken]))


def test_an_aggregation_without_default_has_none() -> None:
    view = aggregated(aggregations=[Aggregation(function="count", time_window="1h", default=7)])
    assert compiled(view).feature_views[0].features[0].default == 7
    assert compiled(aggregated()).feature_views[0].features[0].default is None

"""The repository's own definitions: they compile, with the real SQL, to what the example needs."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from asof.definitions import compile_path
from asof.manifest import Manifest
from asof.on_demand import compile_function

ROOT = Path(__file__).parents[2]
QUERIES = {"compute", "counts", "quarantine", "check", "check_failures", "latest"}


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The compiled definitions."""
    return compile_path(ROOT / "feature_defs")


def test_entities_and_views(manifest: Manifest) -> None:
    assert {each.name: [key.name for key in each.join_keys] for each in manifest.entities} == {
        "aircraft": ["tailnum"],
        "airport": ["origin"],
        "carrier": ["carrier"],
        "route": ["origin", "dest"],
    }
    assert {view.name: (view.entity, view.kind) for view in manifest.feature_views} == {
        "aircraft_details": ("aircraft", "sql"),
        "aircraft_history": ("aircraft", "aggregation"),
        "airport_departures": ("airport", "aggregation"),
        "airport_weather": ("airport", "passthrough"),
        "carrier_punctuality": ("carrier", "aggregation"),
        "route_departures": ("route", "aggregation"),
    }


def test_every_view_has_its_queries(manifest: Manifest) -> None:
    for view in manifest.feature_views:
        assert set(view.queries) == QUERIES
        assert all(len(query.encode()) < 262_144 for query in view.queries.values())


def test_the_manifest_reads_back_and_is_the_same_every_time(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert compile_path(ROOT / "feature_defs").to_json() == manifest.to_json()


def test_the_service_reads_every_view(manifest: Manifest) -> None:
    (service,) = manifest.feature_services
    assert {reference.view for reference in service.features} == {view.name for view in manifest.views()}
    names = [reference.feature for reference in service.features]
    assert len(names) == len(set(names)), "a data frame has room for each name once"
    keys = {key.name for entity in manifest.entities for key in entity.join_keys}
    assert not keys & set(names)


def test_the_request_time_view(manifest: Manifest) -> None:
    call = compile_function(manifest.on_demand_feature_views[0])
    inputs: dict[str, object] = {
        "sched_departure": datetime(2026, 1, 31, 17, 30, tzinfo=timezone.utc),
        "dep_delay_mean_1h": 30.0,
        "route_delay_7d": 10.0,
        "route_delay_spread_7d": 8.0,
    }
    assert call(inputs) == {"hour_of_day": 17, "day_of_week": 6, "delay_risk": 2.5}
    assert call(inputs | {"route_delay_spread_7d": 0.0})["delay_risk"] is None
    assert call(dict.fromkeys(inputs)) == {"hour_of_day": None, "day_of_week": None, "delay_risk": None}

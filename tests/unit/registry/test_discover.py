"""Describe, search and lineage: what people read of a manifest."""

from __future__ import annotations

import pytest

from asof.errors import UnknownFeatureError
from asof.manifest import Manifest
from asof.registry.describe import describe
from asof.registry.find import find_view, find_view_or_service
from asof.registry.lineage import draw, lineage
from asof.registry.search import search
from tests.support.definitions import aggregated, compiled, departures, passthrough
from tests.support.registry import everything, model, risk

TREE = """\
request data
└── on-demand view risk@v1: weight
    └── service model@v1: risk
source departures
└── view windows@v1
    ├── on-demand view risk@v1: count_1h
    │   └── service model@v1: risk
    └── service model@v1: count_1h, count_24h, dep_delay_mean_1h"""


def drawn(manifest: Manifest, name: str) -> str:
    """The lineage of a name."""
    return draw(lineage(manifest, find_view_or_service(manifest, name)))


def test_the_lineage_of_a_service_is_everything_above_it() -> None:
    """A view it does not read is left out."""
    assert drawn(everything(), "model") == TREE


def test_the_lineage_of_a_view_is_everything_above_and_below_it() -> None:
    """What its readers read elsewhere is left out: it is not the view's."""
    windows = drawn(everything(), "windows@v1")
    assert windows == TREE[TREE.index("source") :]
    assert drawn(everything(), "plain") == "source departures\n└── view plain@v1"
    assert drawn(everything(), "risk").splitlines() == [
        "request data",
        "└── on-demand view risk@v1: weight",
        "    └── service model@v1: risk",
        "source departures",
        "└── view windows@v1",
        "    └── on-demand view risk@v1: count_1h",
        "        └── service model@v1: risk",
    ]


def test_a_name_means_the_highest_version_in_service() -> None:
    """As in every other reference; the names of views go before those of services."""
    manifest = compiled(
        aggregated(), aggregated(version=2), aggregated(version=3, deprecated=True), model(aggregated(), name="windows")
    )
    assert find_view(manifest, "windows").version == 2
    assert find_view(manifest, "windows@v3").version == 3
    assert find_view_or_service(manifest, "windows") == manifest.feature_views[1]
    only_old = compiled(aggregated(deprecated=True))
    assert find_view(only_old, "windows").version == 1


@pytest.mark.parametrize(("name", "nearest"), [("windws", "windows"), ("mode", "model"), ("windows@v7", "windows@v1")])
def test_unknown_names_come_with_the_nearest(name: str, nearest: str) -> None:
    """Of views and services alike."""
    with pytest.raises(UnknownFeatureError) as caught:
        find_view_or_service(everything(), name)
    assert nearest in caught.value.nearest


def test_a_description_has_every_fact_of_a_computed_view() -> None:
    """Durations and computations are in words."""
    view = aggregated(where="distance > 0", owner="me", tags={"team": "a"})
    manifest = compiled(view, model(view))
    facts = describe(manifest, manifest.feature_views[0])
    assert facts["entity"] == "airport (origin String)"
    assert facts["source"] == "departures (nyc.departures)"
    assert (facts["owner"], facts["tags"], facts["every"]) == ("me", {"team": "a"}, "1h")
    assert facts["read by"] == ["model@v1"]
    assert [(row["feature"], row["computed as"]) for row in facts["features"]] == [
        ("count_1h", "count(*) over 1h"),
        ("count_24h", "count(*) over 1d"),
        ("dep_delay_mean_1h", "mean(dep_delay) over 1h"),
    ]


def test_a_description_of_a_view_on_demand_shows_its_inputs_and_code() -> None:
    """There is nothing scheduled about it."""
    manifest = everything()
    facts = describe(manifest, find_view(manifest, "risk"))
    assert facts["request data"] == ["weight Int64"]
    assert facts["inputs"] == ["windows@v1:count_1h"]
    assert "def risk" in facts["code"]
    assert "every" not in facts


def found(text: str) -> list[str]:
    """The references that a search finds, in order."""
    source = departures(description="Flights as they leave", tags={"system": "ops"})
    windows = aggregated(source=source, owner="flight-ops", description="How busy an airport is")
    manifest = compiled(windows, passthrough(source=source), risk(windows), model(windows))
    return [hit.reference for hit in search(manifest, text)]


def test_search_looks_everywhere_in_any_case() -> None:
    """Names, owners, tags, features, columns and descriptions."""
    assert found("MEAN")[0] == "windows@v1:dep_delay_mean_1h"
    assert "windows@v1" in found("flight-OPS")
    assert found("system=ops") == ["departures"]
    assert found("busy") == ["windows@v1"]
    assert "departures" in found("dep_delay")
    assert {"airport", "windows@v1", "departures"} <= set(found("origin"))
    assert found("nyc.departures") == ["departures"]


def test_search_wants_every_word_and_puts_names_first() -> None:
    """Words may match in different places."""
    assert found("busy flight-ops") == ["windows@v1"]
    assert found("busy nothing-like-it") == []
    assert found("risk") == ["risk@v1:risk", "risk@v1"]
    assert found("  ") == []

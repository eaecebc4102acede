"""The difference between two manifests: each kind of change, several at once, and nothing that goes unreported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from asof.definitions import Aggregation, Entity, Field, Float64, RequestSource, String
from asof.manifest import Manifest
from asof.registry.diff import Added, Diff, Moved, Removed, Repinned, diff
from asof.registry.edits import Edit
from tests.support.definitions import aggregated, compiled, departures, passthrough, selected
from tests.support.registry import CODE, everything, model, risk

COUNT = Aggregation(function="count", time_windows=["1h", "24h"])
MEAN = Aggregation(function="mean", column="dep_delay", time_window="1h")


def lines(edits: tuple[Edit, ...]) -> list[str]:
    """Edits as people read them."""
    return [str(each) for each in edits]


def test_nothing_changes() -> None:
    """Equal manifests, and a manifest that went through JSON."""
    assert diff(everything(), everything()) == Diff()
    assert diff(everything(), Manifest.from_json(everything().to_json())).empty
    assert diff(None, Manifest()).empty


def test_where_nothing_was_published_everything_is_new() -> None:
    """With who reads it: on-demand views before services."""
    found = diff(None, everything())
    assert found == Diff(
        added=(
            Added("entity", "airport", ("plain@v1", "windows@v1")),
            Added("source", "departures", ("plain@v1", "windows@v1")),
            Added("feature_view", "plain@v1", ()),
            Added("feature_view", "windows@v1", ("risk@v1", "model@v1")),
            Added("on_demand_feature_view", "risk@v1", ("model@v1",)),
            Added("feature_service", "model@v1", ()),
        )
    )


WORDS: list[tuple[dict[str, Any], list[str]]] = [
    ({"description": "Counts of all"}, ['description: "" -> "Counts of all"']),
    ({"owner": "flight-ops"}, ['owner: "" -> flight-ops']),
    ({"tags": {"team": "a"}}, ["tags.team: none -> a"]),
    ({"schedule": "2h"}, ["step_ms: 1h -> 2h"]),
    ({"freshness": "3d", "on_stale": "fail"}, ["freshness_ms: none -> 3d", "on_stale: serve -> fail"]),
    ({"online": False}, ["online: true -> false"]),
    (
        {"aggregations": [Aggregation(function="count", time_windows=["1h", "24h"], description="Rows"), MEAN]},
        ['features[0].description: "" -> Rows', 'features[1].description: "" -> Rows'],
    ),
]


@pytest.mark.parametrize(("changes", "told"), WORDS)
def test_changed_words_are_told_part_by_part(changes: dict[str, Any], told: list[str]) -> None:
    """They are no reason to refuse anything."""
    found = diff(compiled(aggregated()), compiled(aggregated(**changes)))
    (changed,) = found.reworded
    assert (changed.reference, lines(changed.edits)) == ("windows@v1", told)
    assert not found.refused


MEANING: list[tuple[dict[str, Any], list[str]]] = [
    (
        {
            "aggregations": [
                COUNT,
                Aggregation(function="mean", column="dep_delay", time_window="2h", name="dep_delay_mean_1h"),
            ]
        },
        ["aggregations[2].window_ms: 1h -> 2h"],
    ),
    ({"where": "dep_delay > 15"}, ['where: none -> "\\"dep_delay\\" > 15"']),
    ({"publish_delay": "5m"}, ["publish_delay_ms: 0s -> 5m"]),
    ({"defaults": {"count_1h": 0}}, ["features[0].default: none -> 0"]),
    ({"source": departures(table="nyc.flights")}, ["source.table: nyc.departures -> nyc.flights"]),
    ({"source": departures(timestamp_field="left_at")}, ["source.timestamp_field: departed_at -> left_at"]),
    (
        {"source": departures(schema={"origin": String, "dep_delay": Float64, "distance": Float64})},
        ["source.columns.dep_delay: Int64 -> Float64"],
    ),
    (
        {"entity": Entity(name="airport", join_keys={"origin": String, "dest": String})},
        ["entity.join_keys[1]: added (name=dest, dtype=String)"],
    ),
    (
        {"aggregations": [Aggregation(function="max", column="dep_delay", time_window="1h"), COUNT, MEAN]},
        [
            "features[0]: added (name=dep_delay_max_1h, dtype=Int64)",
            "aggregations[0]: added (feature=dep_delay_max_1h, function=max, column=dep_delay, window_ms=1h)",
        ],
    ),
    (
        {"aggregations": [COUNT]},
        [
            "features[2]: removed (name=dep_delay_mean_1h, dtype=Float64)",
            "aggregations[2]: removed (feature=dep_delay_mean_1h, function=mean, column=dep_delay, window_ms=1h)",
        ],
    ),
]


@pytest.mark.parametrize(("changes", "told"), MEANING)
def test_a_changed_meaning_is_refused_and_says_where(changes: dict[str, Any], told: list[str]) -> None:
    """Only what the view reads counts: a source may have other columns."""
    found = diff(compiled(aggregated()), compiled(aggregated(**changes)))
    (refused,) = found.refused
    assert (refused.kind, refused.reference) == ("feature_view", "windows@v1")
    assert lines(refused.edits) == told
    assert "windows@v1" not in {each.reference for each in found.reworded}


def test_a_changed_select_shows_the_lines_that_differ() -> None:
    """SQL is compared by line, so that a reviewer need not find the difference."""
    sql = "SELECT origin, departed_at, dep_delay > {} AS late FROM departures WHERE distance > 100 AND NOT cancelled"
    (refused,) = diff(compiled(selected(sql.format(15))), compiled(selected(sql.format(30)))).refused
    (line,) = lines(refused.edits)
    assert line.startswith("sql:\n")
    assert {text[4] for text in line.splitlines()[1:]} >= {"-", "+"}
    assert "> 30" in line


def test_a_change_of_a_shared_source_is_told_once() -> None:
    """Its words belong to the source, not to each of its views; its SQL does change with them."""
    views = [aggregated(), passthrough(ttl="1d")]
    late = departures(lateness="2h", description="With latecomers")
    found = diff(compiled(*views), compiled(aggregated(source=late), passthrough(ttl="1d", source=late)))
    assert [(each.kind, each.reference, each.readers) for each in found.reworded] == [
        ("source", "departures", ("plain@v1", "windows@v1"))
    ]
    assert lines(found.reworded[0].edits) == ["lateness_ms: 0s -> 2h", 'description: "" -> "With latecomers"']
    assert not found.refused


def test_an_on_demand_view_changes_words_or_meaning() -> None:
    """A comment is words; another computation or input is not."""
    commented = CODE.replace("return", "# as agreed\n    return")
    (words,) = diff(compiled(risk()), compiled(risk(code=commented))).reworded
    assert [each.part for each in words.edits] == ["code"]
    other = diff(compiled(risk()), compiled(risk(code=CODE.replace("*", "+"))))
    assert [each.part for each in other.refused[0].edits] == ["code"]
    asked = RequestSource(name="asked", schema=[Field(name="weight", dtype=Float64)])
    inputs = diff(compiled(risk()), compiled(risk(sources=[asked, aggregated()[["count_1h"]]])))
    assert lines(inputs.refused[0].edits) == ["inputs[1].dtype: Int64 -> Float64"]


def test_a_removed_view_names_who_read_it_and_who_still_does() -> None:
    """The compiler refuses dangling references; a manifest put together otherwise may have them."""
    old = everything()
    new = compiled(passthrough())
    found = diff(old, new)
    assert found.removed == (
        Removed("feature_view", "windows@v1", (), ("risk@v1", "model@v1")),
        Removed("on_demand_feature_view", "risk@v1", (), ("model@v1",)),
        Removed("feature_service", "model@v1", (), ()),
    )
    assert not found.broken
    dangling = dataclasses.replace(old, feature_views=new.feature_views)
    (broken,) = diff(old, dangling).broken
    assert (broken.reference, broken.readers) == ("windows@v1", ("risk@v1", "model@v1"))


def test_a_service_that_reads_other_features() -> None:
    """As another version it may; as the same one it is refused, and shown in both lists."""
    old = compiled(aggregated(), aggregated(version=2), model(aggregated()))
    moved = model(aggregated(version=2)[["count_1h", "count_24h"]], version=2)
    found = diff(old, compiled(aggregated(), aggregated(version=2), model(aggregated()), moved))
    assert found.repinned == (
        Repinned(
            "model@v1",
            "model@v2",
            (
                Edit("features[0]", "windows@v1:count_1h", "windows@v2:count_1h"),
                Edit("features[1]", "windows@v1:count_24h", "windows@v2:count_24h"),
                Edit("features[2]", "windows@v1:dep_delay_mean_1h", None),
            ),
        ),
    )
    assert not found.refused
    same = diff(old, compiled(aggregated(), aggregated(version=2), model(aggregated(version=2))))
    assert [each.reference for each in same.refused] == ["model@v1"]
    assert [(each.old, each.new) for each in same.repinned] == [("model@v1", "model@v1")]


def test_a_new_version_moves_requests_that_name_none() -> None:
    """So does a deprecation; where every version is deprecated there is nothing left to read."""
    one, two = aggregated(), aggregated(version=2)
    assert diff(compiled(one), compiled(one, two)).moved == (Moved("windows", "windows@v1", "windows@v2"),)
    back = diff(compiled(one, two), compiled(one, aggregated(version=2, deprecated=True)))
    assert back.moved == (Moved("windows", "windows@v2", "windows@v1"),)
    gone = diff(compiled(one), compiled(aggregated(deprecated=True)))
    assert gone.moved == (Moved("windows", "windows@v1", None),)


def test_sql_that_is_rendered_anew_is_told_apart() -> None:
    """Another release of asof may write a view's queries better; that is neither words nor meaning."""
    old = compiled(aggregated())
    view = dataclasses.replace(old.feature_views[0], queries={"compute": "SELECT 1"})
    found = diff(old, dataclasses.replace(old, feature_views=(view,)))
    assert found == Diff(rerendered=("windows@v1",))


def test_everything_at_once() -> None:
    """One difference, each thing in its place."""
    old = everything()
    far = aggregated(where="distance > 0")
    new = compiled(
        far,
        passthrough(owner="me"),
        passthrough(version=2, ttl="1d"),
        risk(far, description="Risk"),
    )
    found = diff(old, new)
    assert [each.reference for each in found.added] == ["plain@v2"]
    assert [each.reference for each in found.reworded] == ["plain@v1", "risk@v1"]
    assert [each.reference for each in found.refused] == ["windows@v1"]
    assert [each.reference for each in found.removed] == ["model@v1"]
    assert [each.view for each in found.moved] == ["plain"]


def mutations(value: Any) -> Iterator[Any]:
    """The value with one thing in it changed, once for each thing there is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            for changed in mutations(getattr(value, each.name)):
                yield dataclasses.replace(value, **{each.name: changed})
    elif isinstance(value, tuple):
        for i, element in enumerate(value):
            yield from ((*value[:i], changed, *value[i + 1 :]) for changed in mutations(element))
            yield (*value[:i], *value[i + 1 :])
    elif isinstance(value, dict):
        yield {**value, "another": "x"}
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield f"{value}x"


def test_no_difference_goes_unreported() -> None:
    """Every single field of a manifest, changed on its own, shows, even where a fingerprint would not say so.

    References that would dangle are left out: no compiler makes them, and what they mean cannot be said.
    """
    old = everything()
    checked = 0
    for part in ("sources", "feature_views", "on_demand_feature_views", "feature_services", "entities"):
        for changed in mutations(getattr(old, part)):
            new = dataclasses.replace(old, **{part: changed})
            names = {each.name for each in new.entities}, {each.name for each in new.sources}
            if any(view.entity not in names[0] or view.source not in names[1] for view in new.feature_views):
                continue
            assert not diff(old, new).empty, f"{part}: {changed}"
            checked += 1
    assert checked > 100

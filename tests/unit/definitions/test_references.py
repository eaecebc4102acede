"""Services and on-demand inputs: references found, pinned, or refused with the nearest names."""

from __future__ import annotations

from typing import Any

import pytest

from asof.definitions import (
    Definitions,
    FeatureService,
    Field,
    Float64,
    Int64,
    OnDemandFeatureView,
    RequestSource,
    compile_definitions,
)
from asof.errors import DefinitionError
from tests.support.definitions import aggregated, compiled, complaints, passthrough

VIEWS = (passthrough(), passthrough(version=2), passthrough(version=3, deprecated=True), aggregated())


def _on_demand(*sources: Any, name: str = "risk", **changes: Any) -> OnDemandFeatureView:
    arguments: dict[str, Any] = {
        "name": name,
        "sources": list(sources),
        "schema": [Field(name="doubled", dtype=Int64)],
        "function": "risk",
        "code": "def risk(inputs):\n    return {'doubled': 2 * next(iter(inputs.values()))}\n",
    }
    return OnDemandFeatureView(**arguments | changes)


def _request(name: str, dtype: Any = Int64) -> RequestSource:
    return RequestSource(name="request", schema=[Field(name=name, dtype=dtype)])


def _pinned(*features: Any) -> list[str]:
    (service,) = compiled(*VIEWS, FeatureService(name="model", features=list(features))).feature_services
    return [str(each) for each in service.features]


def test_a_reference_without_version_is_pinned_to_the_highest_that_is_not_deprecated() -> None:
    assert _pinned("plain:dep_delay") == ["plain@v2:dep_delay"]


def test_a_reference_with_a_version_is_that_version_even_if_deprecated() -> None:
    assert _pinned("plain@v1:dep_delay", "plain@v3:dep_delay") == ["plain@v1:dep_delay", "plain@v3:dep_delay"]


def test_a_view_stands_for_itself_and_all_its_features_in_declared_order() -> None:
    assert _pinned(VIEWS[0], VIEWS[3]) == [
        "plain@v1:dep_delay",
        "windows@v1:count_1h",
        "windows@v1:count_24h",
        "windows@v1:dep_delay_mean_1h",
    ]


def test_a_selection_keeps_the_order_it_was_made_in() -> None:
    assert _pinned(VIEWS[3][["count_24h", "count_1h"]]) == ["windows@v1:count_24h", "windows@v1:count_1h"]


def test_a_service_may_read_an_on_demand_view() -> None:
    view = _on_demand(_request("x"))
    (service,) = compiled(view, FeatureService(name="model", features=["risk:doubled"])).feature_services
    assert [str(each) for each in service.features] == ["risk@v1:doubled"]


@pytest.mark.parametrize(
    ("reference", "what", "fix"),
    [
        ("plain", "'plain' is not a reference", "write 'view:feature' or 'view@v2:feature'"),
        ("plain@2:dep_delay", "'plain@2:dep_delay' is not a reference", "write 'view:feature' or 'view@v2:feature'"),
        ("plan:dep_delay", "'plan:dep_delay' names no view", "did you mean plain?"),
        ("plain@v4:dep_delay", "'plain@v4:dep_delay' names no version of the view", "there are plain@v1, "),
        ("plain:dep_dely", "'plain:dep_dely' names no feature of plain@v2", "did you mean dep_delay?"),
        ("zzz:dep_delay", "'zzz:dep_delay' names no view", "there are plain, windows"),
    ],
)
def test_references_to_nothing(reference: str, what: str, fix: str) -> None:
    service = FeatureService(name="model", features=[reference])
    with pytest.raises(DefinitionError) as caught:
        compile_definitions(Definitions.of([*VIEWS, service]))
    (problem,) = caught.value.problems
    assert problem.what == f"service 'model': {what}"
    assert problem.fix.startswith(fix)


def test_a_reference_without_version_needs_a_version_that_is_not_deprecated() -> None:
    service = FeatureService(name="model", features=["plain:dep_delay"])
    assert complaints(passthrough(deprecated=True), service) == [
        "service 'model': all versions named by 'plain:dep_delay' are deprecated"
    ]


def test_a_service_has_features_each_once() -> None:
    assert complaints(FeatureService(name="model", features=[])) == ["service 'model' has no features"]
    assert complaints(*VIEWS, FeatureService(name="model", features=[VIEWS[1], "plain:dep_delay"])) == [
        "service 'model' has plain@v2:dep_delay 2 times"
    ]


def test_inputs_are_sorted_by_name_and_pinned() -> None:
    view = _on_demand(_request("scheduled"), "plain:dep_delay", VIEWS[3][["count_1h"]])
    (found,) = compiled(*VIEWS, view).on_demand_feature_views
    assert [(each.name, each.dtype, each.view, each.version) for each in found.inputs] == [
        ("count_1h", "Int64", "windows", 1),
        ("dep_delay", "Int64", "plain", 2),
        ("scheduled", "Int64", None, None),
    ]


def test_two_inputs_of_one_name_are_a_problem() -> None:
    assert complaints(*VIEWS, _on_demand(_request("dep_delay"), VIEWS[0])) == [
        "on-demand view 'risk' has 2 inputs called 'dep_delay'"
    ]


def test_an_input_cannot_have_the_name_of_a_time_column() -> None:
    assert complaints(_on_demand(_request("event_timestamp"))) == [
        "on-demand view 'risk': 'event_timestamp' is the name of a time column"
    ]


def test_an_on_demand_view_reads_no_other() -> None:
    first = _on_demand(_request("x"))
    assert complaints(first, _on_demand("risk:doubled", name="second")) == [
        "on-demand view 'second' reads risk@v1:doubled, which is computed on demand itself"
    ]


def test_unknown_inputs_are_problems_beside_others() -> None:
    assert sorted(complaints(*VIEWS, _on_demand(_request("run"), "plain:x", "y:z"))) == [
        "on-demand view 'risk': 'plain:x' names no feature of plain@v2",
        "on-demand view 'risk': 'run' is the name of a time column",
        "on-demand view 'risk': 'y:z' names no view",
    ]


def test_a_request_field_has_one_type_everywhere() -> None:
    assert complaints(_on_demand(_request("x")), _on_demand(_request("x", Float64), name="other")) == [
        "request field 'x' is Float64 in 'other' but Int64 in 'risk'"
    ]


def test_a_feature_view_and_an_on_demand_view_do_not_share_a_name() -> None:
    (what,) = complaints(VIEWS[0], _on_demand(_request("x"), name="plain"))
    assert what.endswith("is also called 'plain'")


def test_an_on_demand_view_has_features_and_inputs() -> None:
    with pytest.raises(DefinitionError) as caught:
        _on_demand(schema=[])
    assert [problem.what for problem in caught.value.problems] == [
        "OnDemandFeatureView 'risk': has no features",
        "OnDemandFeatureView 'risk': has no inputs",
    ]

"""What answering one kind of request takes, worked out once: every column's place. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from asof.manifest import FeatureReference, Manifest, OnDemandFeatureView, OnDemandInput
from asof.references import Resolved, input_reference


@dataclass(frozen=True, slots=True)
class Computation:
    """An on-demand view and where its inputs are: by name, the place of a column, None for request data."""

    view: OnDemandFeatureView
    inputs: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """The columns of a request in places 0, 1, ...: those of each view that is read, then those that are computed.

    ``names`` has each place's name, ``outputs`` the places that were asked for, in the order asked, and
    ``output_names`` their names; ``key_names`` are the join keys'.
    """

    resolved: Resolved
    names: tuple[str, ...]
    computations: tuple[Computation, ...]
    outputs: tuple[int, ...]
    output_names: tuple[str, ...]
    key_names: tuple[str, ...]


def lookup_plan(manifest: Manifest, resolved: Resolved) -> LookupPlan:
    """The plan of what a request came to."""
    places: dict[FeatureReference, int] = {}
    for read in resolved.views:
        for feature in read.features:
            places[FeatureReference(read.view.name, read.view.version, feature.name)] = len(places)
    computations = []
    for view in resolved.on_demand:
        inputs = tuple((each.name, _place(manifest, each, places)) for each in view.inputs)
        computations.append(Computation(view, inputs))
        for feature in view.features:
            places[FeatureReference(view.name, view.version, feature.name)] = len(places)
    asked = {column.reference: column.name for column in resolved.columns}
    return LookupPlan(
        resolved=resolved,
        names=tuple(asked.get(reference, reference.feature) for reference in places),
        computations=tuple(computations),
        outputs=tuple(places[reference] for reference in asked),
        output_names=tuple(asked.values()),
        key_names=tuple(key.name for key in resolved.join_keys),
    )


def _place(manifest: Manifest, wanted: OnDemandInput, places: Mapping[FeatureReference, int]) -> int | None:
    """Where an input is; None where it is request data."""
    if wanted.view is None:
        return None
    return places[input_reference(manifest, wanted.view, wanted.version, wanted.feature or wanted.name)]

"""What a training set needs: which views are read, under which names, and what the entity rows must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from asof.clock import to_ms
from asof.errors import RequestError
from asof.manifest import FeatureReference, Manifest
from asof.offline.engine import AsOf, Question
from asof.offline.entity_rows import Needs
from asof.references import Resolved, ViewProjection, resolve
from asof.sql.point_in_time import ViewRequest
from asof.value_types import ValueType, parse_type


@dataclass(frozen=True, slots=True)
class Plan:
    """A training set, thought through. ``read`` is what each feature that is read is called in the engine's answer."""

    manifest: Manifest
    resolved: Resolved
    question: Question
    read: Mapping[FeatureReference, str]


def make_plan(
    manifest: Manifest,
    features: str | Sequence[str],
    *,
    as_of: AsOf = "served",
    known_as_of: datetime | None = None,
    full_feature_names: bool = False,
    label: str,
) -> Plan:
    """The plan of a call; raises UnknownFeatureError, NaiveDatetimeError, or another RequestError."""
    resolved = resolve(manifest, features, full_feature_names)
    read = _names(resolved)
    question = Question(
        views=tuple(_view_request(each, read) for each in resolved.views),
        needs=Needs(
            keys=_keys(resolved),
            label=label,
            outputs=tuple(column.name for column in resolved.columns),
            fields={column.name: parse_type(column.dtype) for column in resolved.request_fields},
        ),
        as_of=as_of,
        known_as_of_ms=None if known_as_of is None else _instant(known_as_of),
    )
    question.request("entity_rows")  # raises where as_of is no rule
    return Plan(manifest, resolved, question, read)


def _references(each: ViewProjection) -> list[FeatureReference]:
    return [FeatureReference(each.view.name, each.view.version, feature.name) for feature in each.features]


def _names(resolved: Resolved) -> dict[FeatureReference, str]:
    """Features asked for are read under the names they get; what only on-demand views need, under inner names."""
    asked = {column.reference: column.name for column in resolved.columns}
    needed = [reference for each in resolved.views for reference in _references(each)]
    return {reference: asked.get(reference, f"asof_input_{i}") for i, reference in enumerate(needed)}


def _view_request(each: ViewProjection, read: Mapping[FeatureReference, str]) -> ViewRequest:
    features = tuple((reference.feature, read[reference]) for reference in _references(each))
    return ViewRequest(each.view, each.entity, features)


def _keys(resolved: Resolved) -> dict[str, ValueType]:
    keys: dict[str, ValueType] = {}
    for column in resolved.join_keys:
        declared = parse_type(column.dtype)
        if keys.setdefault(column.name, declared) != declared:
            raise RequestError(
                f"key {column.name!r} is {keys[column.name]} in one of the entities asked for and {declared} in "
                f"another; ask for their features in two requests"
            )
    return keys


def _instant(known_as_of: object) -> int:
    if not isinstance(known_as_of, datetime):
        raise RequestError(f"known_as_of={known_as_of!r} is a {type(known_as_of).__name__}, not an aware datetime")
    return to_ms(known_as_of, "known_as_of")

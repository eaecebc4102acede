"""The features of a view as its definition declares them, whichever way its rows come about."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from asof import manifest
from asof.clock import iso, to_ms
from asof.definitions.aggregation import Aggregation
from asof.definitions.base import Definition
from asof.definitions.feature_view import FeatureView, Selectable
from asof.definitions.on_demand_view import OnDemandFeatureView
from asof.errors import AsofError
from asof.on_demand import conform
from asof.value_types import ValueType


@dataclass(frozen=True, slots=True)
class DeclaredFeature:
    """One feature. ``dtype`` is None where it cannot be told: a column is missing, or the function does not take it.

    ``place`` is the definition that declares it; ``aggregation`` and ``window_ms`` are set in an aggregation view.
    """

    name: str
    dtype: ValueType | None
    default: Any
    description: str
    place: Definition
    aggregation: Aggregation | None = None
    window_ms: int = 0


def declared_features(view: FeatureView) -> tuple[DeclaredFeature, ...]:
    """The features of a view, in declared order. The view and its source must be complete."""
    if view.kind != "aggregation":
        return tuple(
            DeclaredFeature(each.name, each.dtype, _default(view, each.name, each.default), each.description, each)
            for each in view.schema_
        )
    columns = view.source.columns()
    return tuple(
        DeclaredFeature(
            window.feature,
            each.result(columns.get(each.column)) if each.column is not None else each.result(None),
            _default(view, window.feature, each.default),
            each.description,
            each,
            each,
            window.window_ms,
        )
        for each in view.aggregations
        for window in each.windows()
    )


def _default(view: FeatureView, name: str, own: Any) -> Any:
    """The default declared beside the feature, else the one in the view's ``defaults``."""
    return own if own is not None else view.defaults.get(name)


def feature_types(view: Selectable) -> Mapping[str, str]:
    """The manifest's type of each feature of a checked view."""
    return dict(_types(view))


def manifest_feature(name: str, dtype: ValueType | None, default: object, description: str) -> manifest.Feature:
    """A checked feature as the manifest has it, its default as JSON spells it."""
    if dtype is None:
        raise AsofError(f"the type of feature {name!r} cannot be told; check the definitions before they are compiled")
    return manifest.Feature(name, str(dtype), as_json(conform(default, dtype)), description)


def as_json(value: object) -> manifest.Json:
    """A default as JSON spells it: instants and dates as ISO text, numbers that are not finite as text."""
    if isinstance(value, list):
        return [as_json(each) for each in value]
    if isinstance(value, datetime):
        return iso(to_ms(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _types(view: Selectable) -> Iterator[tuple[str, str]]:
    if isinstance(view, FeatureView):
        yield from ((each.name, str(each.dtype)) for each in declared_features(view))
    elif isinstance(view, OnDemandFeatureView):
        yield from ((each.name, str(each.dtype)) for each in view.schema_)

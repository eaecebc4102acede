"""Rules about the features of a view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from asof.clock import duration_text
from asof.definitions.arguments import check_name, milliseconds
from asof.definitions.base import Wrong
from asof.definitions.collection import Definitions
from asof.definitions.features import declared_features
from asof.definitions.on_demand_view import OnDemandFeatureView
from asof.definitions.sql_text import nearest
from asof.errors import Problem
from asof.names import RESERVED_COLUMNS
from asof.on_demand import conform


def feature_names(definitions: Definitions) -> Iterator[Problem]:
    """Features are named as columns are, each once, and not as a key or a column that every history has."""
    for view in definitions.views():
        if not view.complete:
            continue
        for name, count in Counter(view.feature_names()).items():
            keys = () if isinstance(view, OnDemandFeatureView) else tuple(view.entity.join_keys)
            try:
                check_name(name, "the feature name")
            except Wrong as wrong:
                yield view.problem(f"view {view.name!r}: {wrong.what}", wrong.fix)
            if count > 1:
                yield view.problem(f"view {view.name!r} has {count} features called {name!r}", "rename all but one")
            if name in keys:
                yield view.problem(f"view {view.name!r}: feature {name!r} has the name of a join key", "rename it")
            if name in RESERVED_COLUMNS:
                yield view.problem(
                    f"view {view.name!r}: feature {name!r} has the name of a column that every history table has",
                    "rename it",
                )


def default_names(definitions: Definitions) -> Iterator[Problem]:
    """A view's ``defaults`` name its features, and none that has a default of its own."""
    for view in definitions.feature_views:
        if not view.source_is_known:
            continue
        features = {each.name: each for each in declared_features(view)}
        for name in view.defaults:
            if name not in features:
                yield view.problem(f"view {view.name!r}: defaults name no feature {name!r}", nearest(name, features))
            elif getattr(features[name].place, "default", None) is not None:
                yield view.problem(f"view {view.name!r}: feature {name!r} has two defaults", "keep one")


def default_values(definitions: Definitions) -> Iterator[Problem]:
    """Defaults fit the types of their features."""
    for view in definitions.feature_views:
        if not view.source_is_known:
            continue
        for each in declared_features(view):
            if each.dtype is None:
                continue
            try:
                conform(each.default, each.dtype)
            except ValueError as error:
                yield each.place.problem(
                    f"view {view.name!r}: the default of {each.name!r} does not fit {each.dtype}: {error}",
                    f"give a default of type {each.dtype}",
                )


def reachable_freshness(definitions: Definitions) -> Iterator[Problem]:
    """A view can be as fresh as it declares: between two runs its data age by a step, beside the publish delay."""
    for view in definitions.feature_views:
        if not view.complete or view.freshness is None:
            continue
        least = view.grid.step_ms + milliseconds(view.publish_delay)
        if milliseconds(view.freshness) < least:
            yield view.problem(
                f"view {view.name!r} can never stay as fresh as {duration_text(milliseconds(view.freshness))}: "
                f"just before a run its data are {duration_text(least)} old",
                "declare a longer freshness, or a shorter schedule",
            )

"""Rules about references from services and on-demand views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from asof.definitions.base import Wrong
from asof.definitions.collection import Definitions
from asof.definitions.on_demand_view import OnDemandFeatureView, RequestSource
from asof.definitions.references import Pinned, resolve
from asof.errors import Problem
from asof.names import RESERVED_COLUMNS


def service_features(definitions: Definitions) -> Iterator[Problem]:
    """A service names features that exist, each once."""
    for service in definitions.feature_services:
        if not service.valid:
            continue
        pinned: list[Pinned] = []
        for element in service.features:
            try:
                pinned += resolve(definitions, element)
            except Wrong as wrong:
                yield service.problem(f"service {service.name!r}: {wrong.what}", wrong.fix)
        for reference, count in Counter(map(str, pinned)).items():
            if count > 1:
                yield service.problem(f"service {service.name!r} has {reference} {count} times", "keep one")
        if not service.features:
            yield service.problem(f"service {service.name!r} has no features", "name at least one")


def on_demand_inputs(definitions: Definitions) -> Iterator[Problem]:
    """An on-demand view's inputs exist, are features of feature views, and have names of their own."""
    for view in definitions.on_demand_feature_views:
        if not view.valid:
            continue
        names: list[str] = []
        for source in view.sources:
            if isinstance(source, RequestSource):
                names += [each.name for each in source.schema_] if source.complete else []
                continue
            try:
                pinned = list(resolve(definitions, source))
            except Wrong as wrong:
                yield view.problem(f"on-demand view {view.name!r}: {wrong.what}", wrong.fix)
                continue
            names += [each.feature for each in pinned]
            for each in pinned:
                if isinstance(each.view, OnDemandFeatureView):
                    yield view.problem(
                        f"on-demand view {view.name!r} reads {each}, which is computed on demand itself",
                        "read that view's own inputs",
                    )
        yield from _input_names(view, names)


def request_types(definitions: Definitions) -> Iterator[Problem]:
    """A request's field has one type wherever it is asked for: it is one column of the data frame."""
    first: dict[str, tuple[str, str]] = {}
    for view in definitions.on_demand_feature_views:
        if not view.valid:
            continue
        for source in view.sources:
            for field in source.schema_ if isinstance(source, RequestSource) and source.complete else ():
                other, kind = first.setdefault(field.name, (view.name, str(field.dtype)))
                if kind != str(field.dtype):
                    yield field.problem(
                        f"request field {field.name!r} is {field.dtype} in {view.name!r} but {kind} in {other!r}",
                        "give both the same type, or one another name",
                    )


def _input_names(view: OnDemandFeatureView, names: list[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield view.problem(
                f"on-demand view {view.name!r} has {count} inputs called {name!r}",
                "the function could not tell them apart: leave one out, or rename it at its source",
            )
        if name in RESERVED_COLUMNS:
            yield view.problem(f"on-demand view {view.name!r}: {name!r} is the name of a time column", "rename it")

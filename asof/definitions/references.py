"""References from services and on-demand views to features, resolved to pinned versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from asof.definitions.base import Definition, Wrong
from asof.definitions.collection import Definitions
from asof.definitions.feature_view import FeatureSelection, Selectable
from asof.definitions.sql_text import nearest

_REFERENCE: Final = re.compile(r"([a-z0-9_]+)(?:@v([1-9]\d*))?:([a-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Pinned:
    """A feature of one version of a view."""

    view: Selectable
    feature: str

    def __str__(self) -> str:
        return f"{self.view.reference}:{self.feature}"


def resolve(definitions: Definitions, element: object) -> Iterator[Pinned]:
    """The features that an element of a service or an on-demand view names; none where that is not complete.

    Raises Wrong where a reference in text names something that does not exist.
    """
    if isinstance(element, Definition) and not element.complete:
        return
    if isinstance(element, FeatureSelection):
        yield from (Pinned(element.view, name) for name in element.features)
    elif isinstance(element, Selectable):
        yield from (Pinned(element, name) for name in element.feature_names())
    elif isinstance(element, str):
        yield from _named(definitions, element)


def _named(definitions: Definitions, reference: str) -> Iterator[Pinned]:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise Wrong(f"{reference!r} is not a reference", "write 'view:feature' or 'view@v2:feature'")
    name, version, feature = match[1], match[2], match[3]
    named = [view for view in definitions.views() if view.name == name]
    if not named:
        known = {view.name for view in definitions.views()}
        if definitions.partial or not all(isinstance(each, str) for each in known):
            return  # it may be the one whose name cannot be told
        raise Wrong(f"{reference!r} names no view", nearest(name, known))
    view = _pick(reference, named, int(version) if version else None)
    if view is None or not view.complete:
        return
    if feature not in view.feature_names():
        raise Wrong(f"{reference!r} names no feature of {view.reference}", nearest(feature, view.feature_names()))
    yield Pinned(view, feature)


def _pick(reference: str, views: Sequence[Selectable], version: int | None) -> Selectable | None:
    """The view of a version, else the highest that is not deprecated; None where that cannot be told."""
    if not all(view.complete for view in views):
        return None
    if version is not None:
        for view in views:
            if view.version == version:
                return view
        there = ", ".join(sorted(view.reference for view in views))
        raise Wrong(f"{reference!r} names no version of the view", f"there are {there}")
    current = [view for view in views if not view.deprecated]
    if not current:
        raise Wrong(
            f"all versions named by {reference!r} are deprecated", f"pin one, for example {views[-1].reference}"
        )
    return max(current, key=lambda view: view.version)

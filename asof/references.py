"""From what a caller asks for to what must be read: feature references and service names against a manifest.

A reference is ``view:feature`` (the highest version that is not deprecated) or ``view@v2:feature``; a name without a
colon is a feature service (``service``, ``service@v2``) or, failing that, a whole view. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from asof.errors import RequestError, UnknownFeatureError
from asof.manifest import (
    AnyView,
    Column,
    Entity,
    Feature,
    FeatureReference,
    FeatureService,
    FeatureView,
    Manifest,
    OnDemandFeatureView,
)
from asof.names import NAME, view_reference

_REFERENCE: Final = re.compile(rf"({NAME.pattern})(?:@v([1-9]\d*))?(?::(.+))?")


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One feature asked for: the column it becomes, its pinned reference, and its declaration."""

    name: str
    reference: FeatureReference
    feature: Feature


@dataclass(frozen=True, slots=True)
class ViewProjection:
    """What must be read of one feature view: the features asked for or needed as inputs, in declared order."""

    view: FeatureView
    entity: Entity
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a request comes to.

    ``columns``: the outputs, in the order asked. ``views``: what is to be read, inputs of on-demand views included.
    ``on_demand``: on-demand views in an order in which each finds its inputs. ``request_fields``: what callers must
    give beside ``join_keys``, the keys of every entity involved.
    """

    columns: tuple[OutputColumn, ...]
    views: tuple[ViewProjection, ...]
    on_demand: tuple[OnDemandFeatureView, ...]
    request_fields: tuple[Column, ...]
    join_keys: tuple[Column, ...]

    @property
    def references(self) -> tuple[FeatureReference, ...]:
        """The outputs' pinned references, in the order asked: what a dataset's record keeps."""
        return tuple(column.reference for column in self.columns)


def resolve(manifest: Manifest, features: str | Sequence[str], full_feature_names: bool = False) -> Resolved:
    """What ``features``, one name or several, comes to; a feature asked for twice counts once.

    Columns are named ``feature``, with ``full_feature_names`` ``view__feature``. Raises UnknownFeatureError, with the
    nearest names, for a name the manifest does not have, and RequestError where nothing is asked for, where every
    version of a view is deprecated, or where two columns would have the same name.
    """
    asked = [features] if isinstance(features, str) else list(features)
    references = dict.fromkeys(each for text in asked for each in _expand(manifest, text))
    if not references:
        raise RequestError("no features are asked for; give references such as 'view:feature', or a feature service")
    plan = _Plan(manifest)
    columns = []
    for reference in references:
        view = plan.need(reference)
        name = f"{view.name}__{reference.feature}" if full_feature_names else reference.feature
        columns.append(OutputColumn(name, reference, _feature(view, reference.feature)))
    resolved = plan.resolved(columns)
    _refuse_collisions(resolved, full_feature_names)
    return resolved


def find_feature_view(manifest: Manifest, reference: str) -> FeatureView:
    """The feature view that ``view@v2`` names, or ``view``: its highest version that is not deprecated.

    Raises UnknownFeatureError with the nearest names, RequestError for an on-demand view, which has no rows of its own.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None or match[3] is not None:
        raise RequestError(f"{reference!r} is not a view; write 'view' or 'view@v2'")
    known = {name: None for view in manifest.views() for name in (view.name, view.reference)}
    if reference not in known:
        raise UnknownFeatureError(reference, known, "view")
    view = (
        _pinned(manifest, match[1], int(match[2]), reference) if match[2] else _current(manifest, match[1], reference)
    )
    if not isinstance(view, FeatureView):
        raise RequestError(f"{view.reference} is an on-demand view: it is computed when asked for and has no rows")
    return view


class _Plan:
    """Collects what must be read and computed for a set of references."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._views = {(view.name, view.version): view for view in manifest.views()}
        self._read: dict[tuple[str, int], set[str]] = {}
        self._computed: dict[tuple[str, int], OnDemandFeatureView] = {}
        self._begun: set[tuple[str, int]] = set()
        self._fields: dict[str, Column] = {}

    def need(self, reference: FeatureReference) -> AnyView:
        """Adds a feature and all it depends on; returns its view."""
        key = (reference.view, reference.version)
        view = self._views.get(key)
        if view is None or reference.feature not in {feature.name for feature in view.features}:
            raise UnknownFeatureError(str(reference), _known_features(self._manifest))
        if isinstance(view, FeatureView):
            self._read.setdefault(key, set()).add(reference.feature)
        elif key not in self._begun:
            self._begun.add(key)
            self._need_inputs(view)
            self._computed[key] = view  # after its inputs, so that the order of insertion is an order of evaluation
        elif key not in self._computed:
            raise RequestError(
                f"on-demand view {view.reference} depends on itself; its inputs must not lead back to it"
            )
        return view

    def _need_inputs(self, view: OnDemandFeatureView) -> None:
        for each in view.inputs:
            if each.view is not None:
                self.need(input_reference(self._manifest, each.view, each.version, each.feature or each.name))
                continue
            known = self._fields.setdefault(each.name, Column(each.name, each.dtype))
            if known.dtype != each.dtype:
                raise RequestError(
                    f"request field {each.name!r} is declared {known.dtype} and, by {view.reference}, {each.dtype}; "
                    f"ask for the features in two requests, or rename the field"
                )

    def resolved(self, columns: Iterable[OutputColumn]) -> Resolved:
        """All that was collected."""
        projections = []
        for key, names in self._read.items():
            view = self._views[key]
            if isinstance(view, FeatureView):
                chosen = tuple(feature for feature in view.features if feature.name in names)
                projections.append(ViewProjection(view, self._manifest.entity(view.entity), chosen))
        return Resolved(
            columns=tuple(columns),
            views=tuple(projections),
            on_demand=tuple(self._computed.values()),
            request_fields=tuple(self._fields.values()),
            join_keys=tuple(dict.fromkeys(key for each in projections for key in each.entity.join_keys)),
        )


def input_reference(manifest: Manifest, view: str, version: int | None, feature: str) -> FeatureReference:
    """The pinned reference of a feature; without a version, of the highest one that is not deprecated."""
    if version is None:
        version = _current(manifest, view, f"{view}:{feature}").version
    return FeatureReference(view, version, feature)


def _expand(manifest: Manifest, text: str) -> Iterator[FeatureReference]:
    """The pinned references that one name stands for."""
    match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise RequestError(
            f"{text!r} is not a feature reference; write 'view:feature', 'view@v2:feature', or a feature service's name"
        )
    name, version, feature = match[1], int(match[2]) if match[2] else None, match[3]
    if feature is not None:
        view = _current(manifest, name, text) if version is None else _pinned(manifest, name, version, text)
        if feature not in {each.name for each in view.features}:
            raise UnknownFeatureError(text, _known_features(manifest))
        yield FeatureReference(view.name, view.version, feature)
    elif service := _service(manifest, name, version):
        yield from service.features
    else:
        view = _current(manifest, name, text) if version is None else _pinned(manifest, name, version, text)
        yield from (FeatureReference(view.name, view.version, each.name) for each in view.features)


def _service(manifest: Manifest, name: str, version: int | None) -> FeatureService | None:
    found = [each for each in manifest.feature_services if each.name == name and version in (None, each.version)]
    return max(found, key=lambda service: service.version, default=None)


def _pinned(manifest: Manifest, name: str, version: int, text: str) -> AnyView:
    """That version of a view; ``text`` is what was asked for."""
    for view in manifest.views():
        if (view.name, view.version) == (name, version):
            return view
    raise _unknown(manifest, text)


def _current(manifest: Manifest, name: str, text: str) -> AnyView:
    """The highest version of a view that is not deprecated; ``text`` is what was asked for."""
    versions = [view for view in manifest.views() if view.name == name]
    if not versions:
        raise _unknown(manifest, text)
    current = [view for view in versions if not view.deprecated]
    if not current:
        last = max(versions, key=lambda view: view.version)
        raise RequestError(
            f"every version of view {name!r} is deprecated; name one if you mean it, such as {last.reference!r}"
        )
    return max(current, key=lambda view: view.version)


def _unknown(manifest: Manifest, text: str) -> UnknownFeatureError:
    """The error for a name that the manifest does not have."""
    if ":" in text:
        return UnknownFeatureError(text, _known_features(manifest))
    both = [*manifest.feature_services, *manifest.views()]
    known = dict.fromkeys([*(each.name for each in both), *(view_reference(each.name, each.version) for each in both)])
    return UnknownFeatureError(text, known, "feature service or view")


def _known_features(manifest: Manifest) -> list[str]:
    """Every feature as it can be asked for: without a version in its view's current one, and with it in all."""
    pinned = [f"{view.reference}:{each.name}" for view in manifest.views() for each in view.features]
    latest = {
        view.name: view for view in sorted(manifest.views(), key=lambda view: view.version) if not view.deprecated
    }
    return [f"{view.name}:{each.name}" for view in latest.values() for each in view.features] + pinned


def _feature(view: AnyView, name: str) -> Feature:
    return next(feature for feature in view.features if feature.name == name)


def _refuse_collisions(resolved: Resolved, full_feature_names: bool) -> None:
    """Raises RequestError where a column's name is taken by another column, a join key or a request field."""
    taken = {key.name: "a join key" for key in resolved.join_keys}
    taken |= {column.name: "a request field" for column in resolved.request_fields}
    for column in resolved.columns:
        if column.name in taken:
            cure = "ask for one of them only" if full_feature_names else "use full_feature_names=True"
            raise RequestError(
                f"feature {str(column.reference)!r} would be named {column.name!r}, and so is {taken[column.name]}; "
                f"{cure}"
            )
        taken[column.name] = f"feature {str(column.reference)!r}"

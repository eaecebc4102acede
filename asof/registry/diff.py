"""The difference between two manifests, as what it means for a deployment. Pure.

``diff(old, new)`` is empty exactly where the manifests are equal. Whether a published version's meaning changed is
decided by its data fingerprint; the parts only say where.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from asof.manifest import BatchSource, Entity, FeatureService, FeatureView, Manifest
from asof.names import view_reference
from asof.registry.edits import Edit, edits
from asof.registry.parts import Definition, Parts, meaning, words
from asof.registry.readers import readers, views_of_entity, views_of_source

Kind = Literal["entity", "source", "feature_view", "on_demand_feature_view", "feature_service"]

_Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Added:
    """A definition that is new; ``readers`` are the definitions that read it."""

    kind: Kind
    reference: str
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A definition that differs in some parts; ``readers`` are the definitions that read it."""

    kind: Kind
    reference: str
    edits: tuple[Edit, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """A definition that is gone. ``readers`` still read it, which cannot work; ``were`` read it until now."""

    kind: Kind
    reference: str
    readers: tuple[str, ...]
    were: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repinned:
    """A feature service that reads other features than before: as a new version, or (refused) as the same one."""

    old: str
    new: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A view of which requests that name no version read another one than before; None where all are deprecated."""

    view: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What changes.

    ``refused`` are published versions whose meaning would change; ``rerendered`` are views of the same meaning whose
    SQL is another: their source's words changed, or asof itself.
    """

    added: tuple[Added, ...] = ()
    reworded: tuple[Changed, ...] = ()
    refused: tuple[Changed, ...] = ()
    removed: tuple[Removed, ...] = ()
    repinned: tuple[Repinned, ...] = ()
    moved: tuple[Moved, ...] = ()
    rerendered: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return self == Diff()

    @property
    def broken(self) -> tuple[Removed, ...]:
        """What is removed although something still reads it."""
        return tuple(each for each in self.removed if each.readers)


def diff(old: Manifest | None, new: Manifest) -> Diff:
    """What putting ``new`` into force changes where ``old`` is in force; None: nothing was ever published."""
    old = old or Manifest()
    before, after = dict(_definitions(old)), dict(_definitions(new))
    both = [(key, before[key], after[key]) for key in before if key in after and before[key] != after[key]]
    refused = [(key, was, now) for key, was, now in both if _fingerprint(was) != _fingerprint(now)]
    worded = [(key, was, now) for key, was, now in both if _fingerprint(was) == _fingerprint(now)]
    shared = {key for key, _, _ in worded if key[0] in ("entity", "source")}
    return Diff(
        added=tuple(Added(*key, _readers(new, *key)) for key in after if key not in before),
        reworded=tuple(
            Changed(*key, found, _readers(new, *key))
            for key, was, now in worded
            if (found := _words(was, now, shared=_reads(now) & shared))
        ),
        refused=tuple(Changed(*key, _meaning(old, was, new, now), _readers(new, *key)) for key, was, now in refused),
        removed=tuple(Removed(*key, _readers(new, *key), _readers(old, *key)) for key in before if key not in after),
        repinned=tuple(_repinned(old, new)),
        moved=tuple(_moved(old, new)),
        rerendered=tuple(
            now.reference
            for _, was, now in worded
            if isinstance(was, FeatureView) and isinstance(now, FeatureView) and was.queries != now.queries
        ),
    )


def _definitions(manifest: Manifest) -> Iterator[tuple[_Key, Definition]]:
    yield from ((("entity", each.name), each) for each in manifest.entities)
    yield from ((("source", each.name), each) for each in manifest.sources)
    yield from ((("feature_view", each.reference), each) for each in manifest.feature_views)
    yield from ((("on_demand_feature_view", each.reference), each) for each in manifest.on_demand_feature_views)
    yield from ((("feature_service", service_reference(each)), each) for each in manifest.feature_services)


def service_reference(service: FeatureService) -> str:
    """``service@v2``."""
    return view_reference(service.name, service.version)


def _fingerprint(definition: Definition) -> str:
    """What decides about the meaning; entities and sources have one only through the views that read them."""
    return "" if isinstance(definition, Entity | BatchSource) else definition.data_fingerprint


def _readers(manifest: Manifest, kind: Kind, reference: str) -> tuple[str, ...]:
    if kind == "entity":
        return views_of_entity(manifest, reference)
    if kind == "source":
        return views_of_source(manifest, reference)
    name, _, version = reference.rpartition("@v")
    return () if kind == "feature_service" else readers(manifest, name, int(version))


def _reads(definition: Definition) -> set[_Key]:
    """The entity and source of a feature view."""
    if not isinstance(definition, FeatureView):
        return set()
    return {("entity", definition.entity), ("source", definition.source)}


def _meaning(old: Manifest, was: Definition, new: Manifest, now: Definition) -> tuple[Edit, ...]:
    """The parts of the meaning that differ; that a column is read, or no more, follows from other parts."""
    found = tuple(edits(meaning(old, was), meaning(new, now)))
    telling = tuple(each for each in found if not _is_column_only(each))
    return telling or found or (Edit("data_fingerprint", _fingerprint(was), _fingerprint(now)),)


def _is_column_only(edit: Edit) -> bool:
    return edit.part.startswith("source.columns.") and None in (edit.old, edit.new)


def _words(was: Definition, now: Definition, shared: set[_Key]) -> tuple[Edit, ...]:
    """The words that differ; what differs in an entity or source that changes itself is told there."""
    found = tuple(edits(words(was), words(now)))
    if found:
        return found
    rest = tuple(edits(_whole(was), _whole(now)))
    return () if shared and [each.part for each in rest] == ["metadata_fingerprint"] else rest


def _whole(definition: Definition) -> Parts:
    parts: dict[str, Any] = dataclasses.asdict(definition)
    parts.pop("queries", None)
    return parts


def _repinned(old: Manifest, new: Manifest) -> Iterator[Repinned]:
    """Services of which the highest version reads other features than the highest one before."""
    before, after = _highest(old), _highest(new)
    for name, now in after.items():
        was = before.get(name)
        if was is not None and was.features != now.features:
            found = edits(meaning(old, was)["features"], meaning(new, now)["features"], "features")
            yield Repinned(service_reference(was), service_reference(now), tuple(found))


def _highest(manifest: Manifest) -> dict[str, FeatureService]:
    return {each.name: each for each in sorted(manifest.feature_services, key=lambda each: each.version)}


def _moved(old: Manifest, new: Manifest) -> Iterator[Moved]:
    before, after = _current(old), _current(new)
    for view, was in before.items():
        if view in after and after[view] != was:
            yield Moved(view, was, after[view])


def _current(manifest: Manifest) -> dict[str, str | None]:
    """What a view's name without a version means: its highest version that is not deprecated."""
    current: dict[str, str | None] = {}
    for view in sorted(manifest.views(), key=lambda view: view.version):
        current[view.name] = current.get(view.name) if view.deprecated else view.reference
    return current

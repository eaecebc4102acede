"""Finding definitions by what is said about them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from asof.manifest import AnyView, FeatureView, Manifest
from asof.names import view_reference

_WEIGHTS = ("name", "owner", "tags", "features", "columns", "description")
"""Places of a match, the most telling first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A definition that matches; ``matched`` are the places where, the most telling first."""

    kind: str
    reference: str
    matched: tuple[str, ...]
    owner: str
    description: str


def search(manifest: Manifest, text: str) -> tuple[Hit, ...]:
    """The definitions in which every word of ``text`` occurs, in any case and anywhere, the most telling first."""
    words = text.lower().split()
    hits = []
    for kind, reference, places in _documents(manifest):
        matched = [place for place in _WEIGHTS if any(word in places[place].lower() for word in words)]
        everything = " ".join(places.values()).lower()
        if words and all(word in everything for word in words):
            hits.append(Hit(kind, reference, tuple(matched), places["owner"], places["description"]))
    return tuple(sorted(hits, key=lambda hit: (_WEIGHTS.index(hit.matched[0]), hit.kind, hit.reference)))


def _documents(manifest: Manifest) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Kind, reference and texts by place of everything that is defined."""
    for entity in manifest.entities:
        yield "entity", entity.name, _places(entity, entity.name, columns=[key.name for key in entity.join_keys])
    for source in manifest.sources:
        columns = [each.name for each in source.columns] + [source.table or source.path or ""]
        yield "source", source.name, _places(source, source.name, columns=columns)
    for view in manifest.views():
        kind = "view" if isinstance(view, FeatureView) else "on-demand view"
        features = [each.name for each in view.features]
        yield kind, view.reference, _places(view, view.reference, features=features, columns=_columns(manifest, view))
        for feature in view.features:
            name = f"{view.reference}:{feature.name}"
            yield "feature", name, _places(feature, name)
    for service in manifest.feature_services:
        reference = view_reference(service.name, service.version)
        pinned = [str(each) for each in service.features]
        yield "service", reference, _places(service, reference, features=pinned)


def _columns(manifest: Manifest, view: AnyView) -> list[str]:
    if isinstance(view, FeatureView):
        keys = [key.name for key in manifest.entity(view.entity).join_keys]
        return [
            view.entity,
            view.source,
            *keys,
            *(each.column for each in view.aggregations if each.column is not None),
        ]
    return [each.name for each in view.inputs]


def _places(
    each: object, name: str, *, features: list[str] | None = None, columns: list[str] | None = None
) -> dict[str, str]:
    tags: Mapping[str, str] = getattr(each, "tags", {})
    return {
        "name": name,
        "owner": str(getattr(each, "owner", "")),
        "tags": " ".join(f"{key}={value}" for key, value in tags.items()),
        "features": " ".join(features or ()),
        "columns": " ".join(columns or ()),
        "description": str(getattr(each, "description", "")),
    }

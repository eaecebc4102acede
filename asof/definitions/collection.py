"""All definitions together: what rules judge and what compiles to a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from asof.definitions.arguments import Published
from asof.definitions.base import Definition
from asof.definitions.entity import Entity
from asof.definitions.feature_service import FeatureService
from asof.definitions.feature_view import FeatureSelection, FeatureView
from asof.definitions.on_demand_view import OnDemandFeatureView
from asof.definitions.source import BatchSource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of one store, in order of construction. Placeholders of mistaken ones are among them.

    ``partial`` says that a file failed while it was read, so that a name which is not here may be in it.
    """

    entities: tuple[Entity, ...] = ()
    sources: tuple[BatchSource, ...] = ()
    feature_views: tuple[FeatureView, ...] = ()
    on_demand_feature_views: tuple[OnDemandFeatureView, ...] = ()
    feature_services: tuple[FeatureService, ...] = ()
    partial: bool = False

    @classmethod
    def of(cls, objects: Iterable[Definition], *, partial: bool = False) -> Definitions:
        """The definitions among some objects, and all that these are made of; other objects are left out."""
        found: dict[int, Definition] = {}
        for each in objects:
            _gather(each, found)
        every = list(found.values())
        return cls(
            entities=_only(every, Entity),
            sources=_only(every, BatchSource),
            feature_views=_only(every, FeatureView),
            on_demand_feature_views=_only(every, OnDemandFeatureView),
            feature_services=_only(every, FeatureService),
            partial=partial,
        )

    def all(self) -> Iterator[Published]:
        """Every definition, of every kind."""
        yield from self.entities
        yield from self.sources
        yield from self.feature_views
        yield from self.on_demand_feature_views
        yield from self.feature_services

    def views(self) -> Iterator[FeatureView | OnDemandFeatureView]:
        """All feature views, then all on-demand feature views."""
        yield from self.feature_views
        yield from self.on_demand_feature_views


def _gather(definition: Definition, found: dict[int, Definition]) -> None:
    if id(definition) in found:
        return
    found[id(definition)] = definition
    parts: list[object]
    if isinstance(definition, FeatureView):
        parts = [definition.entity, definition.source]
    elif isinstance(definition, FeatureSelection):
        parts = [definition.view]
    elif isinstance(definition, OnDemandFeatureView):
        parts = list(definition.sources)
    elif isinstance(definition, FeatureService):
        parts = list(definition.features)
    else:
        return
    for part in parts:
        if isinstance(part, Definition):
            _gather(part, found)


def _only(objects: list[Definition], kind: type[T]) -> tuple[T, ...]:
    return tuple(each for each in objects if isinstance(each, kind))

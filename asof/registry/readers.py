"""Who reads what within a manifest. Pure functions, standard library only."""

from __future__ import annotations

from asof.manifest import Manifest
from asof.names import view_reference


def readers(manifest: Manifest, view: str, version: int) -> tuple[str, ...]:
    """The on-demand views and feature services that read a view version, each as ``name@vN``, sorted within their kind.

    An input that names no version may mean any of them, and counts.
    """
    on_demand = {
        each.reference
        for each in manifest.on_demand_feature_views
        if any(given.view == view and given.version in (None, version) for given in each.inputs)
    }
    services = {
        view_reference(each.name, each.version)
        for each in manifest.feature_services
        if any((pinned.view, pinned.version) == (view, version) for pinned in each.features)
    }
    return (*sorted(on_demand), *sorted(services))


def views_of_entity(manifest: Manifest, entity: str) -> tuple[str, ...]:
    """The feature views that describe an entity."""
    return tuple(view.reference for view in manifest.feature_views if view.entity == entity)


def views_of_source(manifest: Manifest, source: str) -> tuple[str, ...]:
    """The feature views that are computed from a source."""
    return tuple(view.reference for view in manifest.feature_views if view.source == source)

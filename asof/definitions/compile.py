"""Definitions to manifest: resolved, canonical, fingerprinted, with the SQL of every view rendered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from asof import manifest
from asof.definitions.arguments import milliseconds
from asof.definitions.collection import Definitions
from asof.definitions.discovery import discover
from asof.definitions.entity import Entity
from asof.definitions.feature_service import FeatureService
from asof.definitions.feature_view import FeatureView
from asof.definitions.features import declared_features, feature_types, manifest_feature
from asof.definitions.fingerprints import on_demand_prints, service_prints, view_prints
from asof.definitions.on_demand_view import OnDemandFeatureView, RequestSource
from asof.definitions.references import resolve
from asof.definitions.rules import check
from asof.definitions.source import BatchSource
from asof.definitions.sql_text import canonical, parse_condition, parse_select
from asof.errors import DefinitionError

Named = TypeVar("Named", manifest.FeatureView, manifest.OnDemandFeatureView, manifest.FeatureService)


def compile_path(root: Path) -> manifest.Manifest:
    """The manifest of the definitions in a folder; raises DefinitionError with all problems at once."""
    return _compile(discover(root))


def compile_definitions(definitions: Definitions) -> manifest.Manifest:
    """The manifest of some definitions; raises DefinitionError with all problems at once."""
    problems = check(definitions)
    if problems:
        raise DefinitionError(problems)
    return _compile(definitions)


def _compile(definitions: Definitions) -> manifest.Manifest:
    # Imported here: its modules are many, and checking alone does not need them.
    from asof.sql.queries import render_queries

    entities = {each.name: _entity(each) for each in definitions.entities}
    sources = {each.name: _source(each) for each in definitions.sources}

    def view(definition: FeatureView) -> manifest.FeatureView:
        entity, source = entities[definition.entity.name], sources[definition.source.name]
        plain = _view(definition)
        data, metadata = view_prints(plain, entity, source)
        queries = dict(render_queries(plain, entity, source))
        return dataclasses.replace(plain, queries=queries, data_fingerprint=data, metadata_fingerprint=metadata)

    return manifest.Manifest(
        entities=tuple(entities[name] for name in sorted(entities)),
        sources=tuple(sources[name] for name in sorted(sources)),
        feature_views=_sorted(map(view, definitions.feature_views)),
        on_demand_feature_views=_sorted(_on_demand(definitions, each) for each in definitions.on_demand_feature_views),
        feature_services=_sorted(_service(definitions, each) for each in definitions.feature_services),
    )


def _sorted(versions: Iterable[Named]) -> tuple[Named, ...]:
    """By name, then version; of definitions that were made twice with one content, one."""
    found = {(each.name, each.version): each for each in versions}
    return tuple(found[key] for key in sorted(found))


def _entity(entity: Entity) -> manifest.Entity:
    return manifest.Entity(
        name=entity.name,
        join_keys=tuple(manifest.Column(name, str(value_type)) for name, value_type in entity.join_keys.items()),
        description=entity.description,
        owner=entity.owner,
        tags=dict(entity.tags),
    )


def _source(source: BatchSource) -> manifest.BatchSource:
    return manifest.BatchSource(
        name=source.name,
        table=source.table,
        path=source.path.rstrip("/") + "/" if source.path is not None else None,
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        date_partition_column=source.date_partition_column,
        lateness_ms=milliseconds(source.lateness),
        columns=tuple(manifest.Column(name, str(dtype)) for name, dtype in sorted(source.columns().items())),
        description=source.description,
        owner=source.owner,
        tags=dict(source.tags),
    )


def _view(view: FeatureView) -> manifest.FeatureView:
    declared = declared_features(view)
    return manifest.FeatureView(
        name=view.name,
        version=view.version,
        entity=view.entity.name,
        source=view.source.name,
        kind=view.kind,
        features=tuple(manifest_feature(each.name, each.dtype, each.default, each.description) for each in declared),
        aggregations=tuple(
            manifest.Aggregation(each.name, each.aggregation.function, each.aggregation.column, each.window_ms)
            for each in declared
            if each.aggregation is not None
        ),
        sql=None if view.sql is None else canonical(parse_select(view.sql)),
        where=None if view.where is None else canonical(parse_condition(view.where)),
        step_ms=view.grid.step_ms,
        offset_ms=view.grid.offset_ms,
        ttl_ms=milliseconds(view.ttl or 0) or None,  # ttl=0 says "never expires" too
        publish_delay_ms=milliseconds(view.publish_delay),
        freshness_ms=None if view.freshness is None else milliseconds(view.freshness),
        on_stale=view.on_stale,
        online=view.online,
        deprecated=view.deprecated,
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
    )


def _on_demand(definitions: Definitions, view: OnDemandFeatureView) -> manifest.OnDemandFeatureView:
    plain = manifest.OnDemandFeatureView(
        name=view.name,
        version=view.version,
        inputs=tuple(sorted(_inputs(definitions, view), key=lambda each: each.name)),
        features=tuple(
            manifest_feature(each.name, each.dtype, each.default, each.description) for each in view.schema_
        ),
        function=view.function,
        code=view.code,
        deprecated=view.deprecated,
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
    )
    data, metadata = on_demand_prints(plain)
    return dataclasses.replace(plain, data_fingerprint=data, metadata_fingerprint=metadata)


def _inputs(definitions: Definitions, view: OnDemandFeatureView) -> list[manifest.OnDemandInput]:
    inputs: list[manifest.OnDemandInput] = []
    for source in view.sources:
        if isinstance(source, RequestSource):
            inputs += [manifest.OnDemandInput(each.name, str(each.dtype)) for each in source.schema_]
            continue
        for pinned in resolve(definitions, source):
            name, dtype = pinned.feature, feature_types(pinned.view)[pinned.feature]
            inputs.append(manifest.OnDemandInput(name, dtype, pinned.view.name, pinned.view.version, name))
    return inputs


def _service(definitions: Definitions, service: FeatureService) -> manifest.FeatureService:
    plain = manifest.FeatureService(
        name=service.name,
        version=service.version,
        features=tuple(
            manifest.FeatureReference(pinned.view.name, pinned.view.version, pinned.feature)
            for element in service.features
            for pinned in resolve(definitions, element)
        ),
        description=service.description,
        owner=service.owner,
        tags=dict(service.tags),
    )
    data, metadata = service_prints(plain)
    return dataclasses.replace(plain, data_fingerprint=data, metadata_fingerprint=metadata)

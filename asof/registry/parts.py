"""A definition taken apart: the parts that are its meaning, and those that are words (semantics, section 7)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from asof.manifest import (
    BatchSource,
    Entity,
    Feature,
    FeatureService,
    FeatureView,
    Json,
    Manifest,
    OnDemandFeatureView,
)

Parts = dict[str, Json]

Definition = Entity | BatchSource | FeatureView | OnDemandFeatureView | FeatureService

_WORD = re.compile(r"\w+")


def meaning(manifest: Manifest, definition: Definition) -> Parts:
    """What may not change of a published version; empty for entities and sources, which views are made from.

    The fingerprints decide whether a meaning changed; this says where.
    """
    if isinstance(definition, FeatureView):
        return _view_meaning(manifest, definition)
    if isinstance(definition, OnDemandFeatureView):
        return {
            "inputs": [dataclasses.asdict(each) for each in definition.inputs],
            "features": list(map(_typed, definition.features)),
            "function": definition.function,
            "code": definition.code,
        }
    if isinstance(definition, FeatureService):
        return {"features": [str(each) for each in definition.features]}
    return {}


def words(definition: Definition) -> Parts:
    """What may change of a definition: of a version all but its meaning, of an entity or source everything.

    The ``code`` of an on-demand view holds both; its comments are words.
    """
    if isinstance(definition, Entity | BatchSource):
        return dataclasses.asdict(definition)
    about: Parts = {"description": definition.description, "owner": definition.owner, "tags": dict(definition.tags)}
    if isinstance(definition, FeatureService):
        return about
    about |= {"deprecated": definition.deprecated, "features": list(map(_described, definition.features))}
    if isinstance(definition, OnDemandFeatureView):
        return {**about, "function": definition.function, "code": definition.code}
    return {
        **about,
        "source": definition.source,
        "step_ms": definition.step_ms,
        "offset_ms": definition.offset_ms,
        "freshness_ms": definition.freshness_ms,
        "on_stale": definition.on_stale,
        "online": definition.online,
    }


def _view_meaning(manifest: Manifest, view: FeatureView) -> Parts:
    """The meaning of a feature view, with the columns it reads of its source."""
    entity, source = manifest.entity(view.entity), manifest.source(view.source)
    read = columns_read(manifest, view)
    return {
        "entity": {"name": entity.name, "join_keys": [dataclasses.asdict(key) for key in entity.join_keys]},
        "source": {
            "table": source.table,
            "path": source.path,
            "timestamp_field": source.timestamp_field,
            "created_timestamp_column": source.created_timestamp_column,
            "columns": {each.name: each.dtype for each in source.columns if each.name in read},
        },
        "kind": view.kind,
        "features": list(map(_typed, view.features)),
        "aggregations": [dataclasses.asdict(each) for each in view.aggregations],
        "sql": view.sql,
        "where": view.where,
        "ttl_ms": view.ttl_ms,
        "publish_delay_ms": view.publish_delay_ms,
    }


def columns_read(manifest: Manifest, view: FeatureView) -> frozenset[str]:
    """The columns of its source that a view reads; of a view with SQL of its own, at most these."""
    entity, source = manifest.entity(view.entity), manifest.source(view.source)
    roles = {source.timestamp_field, *(key.name for key in entity.join_keys)}
    if source.created_timestamp_column is not None:
        roles.add(source.created_timestamp_column)
    return frozenset(roles | ({each.name for each in source.columns} & set(_mentioned(view))))


def _mentioned(view: FeatureView) -> Iterator[str]:
    yield from _WORD.findall(f"{view.sql or ''} {view.where or ''}")
    yield from (each.column for each in view.aggregations if each.column is not None)
    if view.kind == "passthrough":
        yield from (each.name for each in view.features)


def _typed(feature: Feature) -> Parts:
    return {"name": feature.name, "dtype": feature.dtype, "default": feature.default}


def _described(feature: Feature) -> Parts:
    return {"name": feature.name, "description": feature.description}

"""Fingerprints: what a published version means, apart from the words around it (semantics, section 7).

A version's *data* fingerprint may never change once it is published; its *metadata* fingerprint may. The rendered
queries are in neither: they follow from the meaning, and may be rendered better by a later release.
"""

from __future__ import annotations

from typing import Any

from asof import manifest
from asof.definitions.purity import meaning
from asof.definitions.sql_text import columns_of, parse_condition, parse_select
from asof.manifest import fingerprint


def view_prints(view: manifest.FeatureView, entity: manifest.Entity, source: manifest.BatchSource) -> tuple[str, str]:
    """The data and the metadata fingerprint of a feature view, whose SQL is canonical.

    Of its source only the columns it reads count, so that a column more or less changes nothing for the others.
    """
    read = _columns_read(view, entity, source)
    data = {
        "entity": [entity.name, [[key.name, key.dtype] for key in entity.join_keys]],
        "source": [source.table, source.path, source.timestamp_field, source.created_timestamp_column],
        "columns": {each.name: each.dtype for each in source.columns if each.name in read},
        "kind": view.kind,
        "features": _features(view.features),
        "aggregations": [[each.feature, each.function, each.column, each.window_ms] for each in view.aggregations],
        "sql": view.sql,
        "where": view.where,
        "ttl_ms": view.ttl_ms,
        "publish_delay_ms": view.publish_delay_ms,
    }
    metadata = {
        **_words(view),
        "source": [source.name, source.date_partition_column, source.lateness_ms],
        "schedule": [view.step_ms, view.offset_ms],
        "freshness": [view.freshness_ms, view.on_stale],
        "online": view.online,
        "deprecated": view.deprecated,
        "features": [each.description for each in view.features],
    }
    return fingerprint(data), fingerprint(metadata)


def on_demand_prints(view: manifest.OnDemandFeatureView) -> tuple[str, str]:
    """The data and the metadata fingerprint of an on-demand view; its function's comments and docstring are words."""
    data = {
        "inputs": [[each.name, each.dtype, each.view, each.version, each.feature] for each in view.inputs],
        "features": _features(view.features),
        "code": meaning(view.code),
    }
    metadata = {
        **_words(view),
        "deprecated": view.deprecated,
        "features": [each.description for each in view.features],
        "code": view.code,
    }
    return fingerprint(data), fingerprint(metadata)


def service_prints(service: manifest.FeatureService) -> tuple[str, str]:
    """The data and the metadata fingerprint of a service. The order of its features is the order a model reads them."""
    return fingerprint([str(each) for each in service.features]), fingerprint(_words(service))


def _features(features: tuple[manifest.Feature, ...]) -> list[list[Any]]:
    return [[each.name, each.dtype, each.default] for each in features]


def _words(each: manifest.AnyView | manifest.FeatureService) -> dict[str, Any]:
    return {"description": each.description, "owner": each.owner, "tags": dict(each.tags)}


def _columns_read(view: manifest.FeatureView, entity: manifest.Entity, source: manifest.BatchSource) -> set[str]:
    read = {source.timestamp_field}
    if source.created_timestamp_column is not None:
        read.add(source.created_timestamp_column)
    if view.where is not None:
        read |= columns_of(parse_condition(view.where))
    if view.sql is not None:
        return read | columns_of(parse_select(view.sql))
    read |= {each.name for each in entity.join_keys}
    if view.kind == "passthrough":
        return read | {each.name for each in view.features}
    return read | {each.column for each in view.aggregations if each.column is not None}

"""What there is to know about a view, as facts to print. Pure."""

from __future__ import annotations

from typing import Any

from asof.clock import duration_text
from asof.manifest import AnyView, FeatureView, Manifest, OnDemandFeatureView
from asof.registry.readers import readers


def describe(manifest: Manifest, view: AnyView) -> dict[str, Any]:
    """A view's facts in the order in which people ask for them; ``features`` is a list with a row for each."""
    about = {
        "view": view.reference,
        "description": view.description or None,
        "owner": view.owner or None,
        "tags": dict(view.tags),
        "deprecated": view.deprecated,
    }
    facts = _computed(manifest, view) if isinstance(view, FeatureView) else _on_demand(view)
    return {
        **about,
        **facts,
        "read by": list(readers(manifest, view.name, view.version)),
        "data fingerprint": view.data_fingerprint,
        "features": [_feature(view, i) for i in range(len(view.features))],
    }


def _computed(manifest: Manifest, view: FeatureView) -> dict[str, Any]:
    entity, source = manifest.entity(view.entity), manifest.source(view.source)
    return {
        "kind": view.kind,
        "entity": f"{entity.name} ({', '.join(f'{key.name} {key.dtype}' for key in entity.join_keys)})",
        "source": f"{source.name} ({source.table or source.path})",
        "where": view.where,
        "sql": view.sql,
        "every": duration_text(view.step_ms) + (f" at {duration_text(view.offset_ms)}" if view.offset_ms else ""),
        "publish delay": _duration(view.publish_delay_ms or None),
        "ttl": _duration(view.expires_ms),
        "freshness": _duration(view.freshness_ms),
        "on stale": view.on_stale,
        "online": view.online,
    }


def _on_demand(view: OnDemandFeatureView) -> dict[str, Any]:
    given = [f"{each.name} {each.dtype}" for each in view.inputs if each.view is None]
    read = [f"{each.view}@v{each.version}:{each.feature}" for each in view.inputs if each.view is not None]
    return {"kind": "on demand", "request data": given, "inputs": read, "code": view.code}


def _feature(view: AnyView, index: int) -> dict[str, Any]:
    feature = view.features[index]
    row = {"feature": feature.name, "type": feature.dtype, "default": feature.default}
    if isinstance(view, FeatureView) and view.aggregations:
        each = next(each for each in view.aggregations if each.feature == feature.name)
        row["computed as"] = f"{each.function}({each.column or '*'}) over {duration_text(each.window_ms)}"
    return {**row, "description": feature.description or None}


def _duration(value_ms: int | None) -> str | None:
    return None if value_ms is None else duration_text(value_ms)

"""A small set of definitions with every kind in it, to be changed in one place or another."""

from __future__ import annotations

from typing import Any

from asof.definitions import FeatureService, Field, Float64, Int64, OnDemandFeatureView, RequestSource
from asof.manifest import Manifest
from tests.support.definitions import aggregated, compiled, passthrough

CODE = "def risk(inputs):\n    return {'risk': float(inputs['count_1h']) * inputs['weight']}\n"


def risk(windows: Any = None, **changes: Any) -> OnDemandFeatureView:
    """A view on demand over the count of ``windows`` and a number of the request."""
    arguments: dict[str, Any] = {
        "name": "risk",
        "sources": [
            RequestSource(name="asked", schema=[Field(name="weight", dtype=Int64)]),
            (windows or aggregated())[["count_1h"]],
        ],
        "schema": [Field(name="risk", dtype=Float64)],
        "function": "risk",
        "code": CODE,
    }
    return OnDemandFeatureView(**arguments | changes)


def model(*features: Any, **changes: Any) -> FeatureService:
    """A service over ``windows`` and ``risk``, or over what is given."""
    return FeatureService(**{"name": "model", "features": list(features) or [aggregated(), risk()], **changes})


def everything() -> Manifest:
    """``windows`` and ``plain`` (views), ``risk`` (on demand, over windows) and ``model`` (over windows and risk)."""
    return compiled(aggregated(), passthrough(), risk(), model())

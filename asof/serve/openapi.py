"""The document that ``/openapi.json`` serves: what the API of every store is, and a request that this one answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from asof.manifest import Manifest

_MOST_FEATURES: Final = 3
_KEY_EXAMPLES: Final[Mapping[str, object]] = {"String": "a", "Int64": 1, "Bool": True, "Date": "2026-01-31"}
"""A value per type that a join key can have, as JSON spells it."""


def openapi(document: str, manifest: Manifest) -> str:
    """An OpenAPI document of the API, with an example of a request in the names of a manifest.

    The example is of the first view that is served online and not deprecated; where there is none, so is no example.
    """
    view = next((each for each in manifest.feature_views if each.online and not each.deprecated), None)
    if view is None:
        return document
    keys = manifest.entity(view.entity).join_keys
    described: dict[str, Any] = json.loads(document)
    described["components"]["schemas"]["Request"]["examples"] = [
        {
            "features": [f"{view.reference}:{each.name}" for each in view.features[:_MOST_FEATURES]],
            "entities": {key.name: [_KEY_EXAMPLES[key.dtype]] for key in keys},
        }
    ]
    return json.dumps(described)

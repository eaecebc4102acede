"""From a name a person types to the view or feature service it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from asof.errors import UnknownFeatureError
from asof.manifest import AnyView, FeatureService, Manifest
from asof.names import NAME, view_reference

_REFERENCE: Final = re.compile(rf"({NAME.pattern})(?:@v([1-9]\d*))?")


def find_view(manifest: Manifest, text: str) -> AnyView:
    """The view that ``view@v2`` names, or ``view``: its highest version that is not deprecated, if there is one.

    Raises UnknownFeatureError with the nearest names.
    """
    views = {view.reference: view for view in manifest.views()}
    return views[_pick(text, [(view.name, view.version, view.deprecated) for view in views.values()], "view")]


def find_view_or_service(manifest: Manifest, text: str) -> AnyView | FeatureService:
    """The view or feature service that a name means, with or without a version; a view goes before a service.

    Raises UnknownFeatureError with the nearest names of both.
    """
    services = {view_reference(each.name, each.version): each for each in manifest.feature_services}
    try:
        return find_view(manifest, text)
    except UnknownFeatureError:
        named = [(each.name, each.version, False) for each in services.values()]
        if text not in services and text not in {name for name, _, _ in named}:
            both = [(view.name, view.version, view.deprecated) for view in manifest.views()] + named
            _pick(text, both, "view or feature service")
        return services[_pick(text, named, "feature service")]


def _pick(text: str, versions: Sequence[tuple[str, int, bool]], what: str) -> str:
    """The reference meant among (name, version, deprecated)."""
    match = _REFERENCE.fullmatch(text)
    found = [each for each in versions if match and each[0] == match[1] and match[2] in (None, str(each[1]))]
    if not found:
        known = [*dict.fromkeys(name for name, _, _ in versions), *(view_reference(name, v) for name, v, _ in versions)]
        raise UnknownFeatureError(text, known, what)
    name, version, _ = max(found, key=lambda each: (not each[2], each[1]))
    return view_reference(name, version)

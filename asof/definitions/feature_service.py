"""Feature services: what one model reads."""

from __future__ import annotations

from typing import Annotated

from asof.definitions.arguments import Many, Published, Version, instance_of
from asof.definitions.feature_view import FeatureSelection, Selectable


class FeatureService(Published):
    """A named, versioned list of features, each pinned to a view's version when the definitions are compiled.

    An element is a view (all its features), a selection ``view[["f1", "f2"]]``, or a reference in text:
    ``"view@v2:feature"``, or ``"view:feature"`` for the highest version that is not deprecated.
    """

    version: Version = 1
    features: Many[Annotated[Selectable | FeatureSelection | str, instance_of(Selectable, FeatureSelection, str)]]

"""What a lookup says of a view: values, why each is what it is, and as of when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

from asof.clock import duration_text, iso
from asof.errors import OnlineStoreError, StaleFeaturesError
from asof.online.codec import Codec, Values, default_value
from asof.references import ViewProjection


class FeatureStatus(StrEnum):
    """Why a feature has the value it has. For the last two it is the declared default, else None."""

    PRESENT = "PRESENT"
    NULL_VALUE = "NULL_VALUE"
    NOT_FOUND = "NOT_FOUND"
    OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"


class RowAnswer(NamedTuple):
    """One view's answer for one entity: values and statuses in the projection's order.

    ``event_ms`` is None where there is no item; an item that is too old still says when it was true.
    """

    values: Values
    statuses: tuple[FeatureStatus, ...]
    event_ms: int | None


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """One view's answers, one per entity row in the rows' order; rows of equal keys share theirs.

    ``as_of_ms`` is the view's watermark; None where it was not read (the view declares no freshness and is no
    aggregation) or was never published.
    """

    projection: ViewProjection
    as_of_ms: int | None
    rows: Sequence[RowAnswer]


class ItemReader:
    """Turns a view's stored items into answers for some of its features. Compiled once, then free of state."""

    def __init__(self, projection: ViewProjection) -> None:
        self.projection = projection
        self._view = projection.view
        names = [feature.name for feature in self._view.features]
        self._indices = [names.index(feature.name) for feature in projection.features]
        self._codec = Codec(self._view.features, self._view.reference)
        self._whole = self._indices == list(range(len(names)))
        self._take = itemgetter(*self._indices)
        count = len(self._indices)
        self._defaults: Values = tuple(default_value(feature) for feature in projection.features)
        self._all_present = (FeatureStatus.PRESENT,) * count
        self._all_expired = (FeatureStatus.OUTSIDE_MAX_AGE,) * count
        self.not_found = RowAnswer(self._defaults, (FeatureStatus.NOT_FOUND,) * count, None)

    def answer(self, item: Mapping[str, Mapping[str, Any]], now_ms: int, withheld: bool) -> RowAnswer:
        """The answer an item gives at an instant; ``withheld`` where the whole view is too old to be served.

        Raises OnlineStoreError, naming the item, where it does not hold the view's values.
        """
        try:
            event_ms = int(item["e"]["N"])
            packed = item["v"]["B"]
        except (KeyError, ValueError) as error:
            raise OnlineStoreError(f"item {_named(item)} is not one of Asof's: attribute {error} is missing") from error
        ttl_ms = self._view.expires_ms
        if withheld or (ttl_ms is not None and event_ms < now_ms - ttl_ms):
            return RowAnswer(self._defaults, self._all_expired, event_ms)
        try:
            values = self._codec.decode(packed)
        except OnlineStoreError as error:
            error.add_note(f"It was read from item {_named(item)}.")
            raise
        if not self._whole:
            taken = self._take(values)
            values = taken if len(self._indices) > 1 else (taken,)
        if None not in values:
            return RowAnswer(values, self._all_present, event_ms)
        statuses = tuple(FeatureStatus.NULL_VALUE if each is None else FeatureStatus.PRESENT for each in values)
        return RowAnswer(values, statuses, event_ms)

    def withheld(self, as_of_ms: int | None, now_ms: int) -> bool:
        """Whether the view's values are too old to be served at all.

        Raises StaleFeaturesError where they are and the view declares ``on_stale="fail"``.
        """
        view = self._view
        if view.freshness_ms is None or view.on_stale == "serve":
            return False
        if as_of_ms is not None and now_ms - as_of_ms <= view.freshness_ms:
            return False
        if view.on_stale == "default":
            return True
        found = "was never loaded" if as_of_ms is None else f"is as of {iso(as_of_ms)}"
        raise StaleFeaturesError(
            f"view {view.reference} {found}, but at {iso(now_ms)} it must be at most "
            f'{duration_text(view.freshness_ms)} old (on_stale="fail"); materialize it, or '
            f'declare on_stale="serve" or on_stale="default"'
        )


def _named(item: Mapping[str, Mapping[str, Any]]) -> str:
    return f"{item.get('sk', {}).get('S')} of {item.get('pk', {}).get('S')!r}"

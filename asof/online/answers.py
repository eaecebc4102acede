"""What a lookup says of a view: values, why each is what it is, and as of when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Final, NamedTuple

from asof.clock import duration_text, iso
from asof.errors import OnlineStoreError, StaleFeaturesError
from asof.keys import PartitionKeys, sort_key
from asof.online.codec import Codec, Values, default_value
from asof.online.layout import Item
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
        self.sort_key = sort_key(projection.view.name, projection.view.version)
        self.key_names = [key.name for key in projection.entity.join_keys]
        self.partition_key = PartitionKeys(projection.entity.name, [key.dtype for key in projection.entity.join_keys])
        self._view = projection.view
        self.has_as_of: Final = self._view.freshness_ms is not None or self._view.kind == "aggregation"
        """Whether answers tell the view's watermark: an aggregation's event time alone says nothing of its age."""
        names = [feature.name for feature in self._view.features]
        indices = [names.index(feature.name) for feature in projection.features]
        self._take = None if indices == list(range(len(names))) else _taker(indices)
        self._codec = Codec(self._view.features, self._view.reference)
        count = len(indices)
        self._defaults: Values = tuple(default_value(feature) for feature in projection.features)
        self._all_present = (FeatureStatus.PRESENT,) * count
        self._all_expired = (FeatureStatus.OUTSIDE_MAX_AGE,) * count
        self.not_found = RowAnswer(self._defaults, (FeatureStatus.NOT_FOUND,) * count, None)

    def answers(self, items: Iterable[Item | None], now_ms: int, withheld: bool) -> list[RowAnswer]:
        """The answers that items give at an instant; ``withheld`` where the whole view is too old to be served.

        Raises OnlineStoreError, naming the item, where one does not hold the view's values.
        """
        ttl_ms = self._view.expires_ms
        oldest_ms = None if ttl_ms is None else now_ms - ttl_ms
        decode, take, no_nulls, all_present = self._codec.decode, self._take, self._codec.no_nulls, self._all_present
        rows = []
        for item in items:
            if item is None:
                rows.append(self.not_found)
                continue
            try:
                event_ms, packed = int(item["e"]["N"]), item["v"]["B"]
            except (KeyError, ValueError) as error:
                raise OnlineStoreError(
                    f"item {_named(item)} is not one of Asof's: attribute {error} is missing"
                ) from error
            if withheld or (oldest_ms is not None and event_ms < oldest_ms):
                rows.append(RowAnswer(self._defaults, self._all_expired, event_ms))
                continue
            try:
                values = decode(packed)
            except OnlineStoreError as error:
                error.add_note(f"It was read from item {_named(item)}.")
                raise
            if take is not None:
                values = take(values)
            present = packed.startswith(no_nulls) or None not in values
            rows.append(RowAnswer(values, all_present if present else _statuses(values), event_ms))
        return rows

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


def _taker(indices: Sequence[int]) -> Callable[[Values], Values]:
    """What takes the values at some indices."""
    if len(indices) == 1:
        (index,) = indices
        return lambda values: (values[index],)
    return itemgetter(*indices)


def _statuses(values: Values) -> tuple[FeatureStatus, ...]:
    return tuple(FeatureStatus.NULL_VALUE if each is None else FeatureStatus.PRESENT for each in values)


def _named(item: Item) -> str:
    return f"{item.get('sk', {}).get('S')} of {item.get('pk', {}).get('S')!r}"

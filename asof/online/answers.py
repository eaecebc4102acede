"""What a lookup says of a view: values, why each is what it is, and as of when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


Statuses = tuple[FeatureStatus, ...]
"""A status per feature, in the projection's order."""


class RowAnswer(NamedTuple):
    """One view's answer for one entity: values and statuses in the projection's order.

    ``event_ms`` is None where there is no item; an item that is too old still says when it was true.
    """

    values: Values
    statuses: Statuses
    event_ms: int | None


class Answers(NamedTuple):
    """One view's answers for several entities, part by part as in :class:`RowAnswer`: an element per entity in each."""

    values: list[Values]
    statuses: list[Statuses]
    event_ms: list[int | None]

    def placed(self, places: Sequence[int], absent: RowAnswer) -> Answers:
        """The answers at some places, in their order; ``absent`` is what stands at the place after the last."""
        values, statuses = [*self.values, absent.values], [*self.statuses, absent.statuses]
        event_ms = [*self.event_ms, absent.event_ms]
        return Answers(
            [values[place] for place in places],
            [statuses[place] for place in places],
            [event_ms[place] for place in places],
        )


class ViewAnswer(NamedTuple):
    """One view's answers, one per entity row in the rows' order; rows of equal keys share theirs.

    ``as_of_ms`` is the view's watermark; None where it was not read (the view declares no freshness and is no
    aggregation) or was never published.
    """

    projection: ViewProjection
    as_of_ms: int | None
    answers: Answers

    @property
    def rows(self) -> tuple[RowAnswer, ...]:
        """The answers row by row."""
        return tuple([RowAnswer(*row) for row in zip(*self.answers, strict=True)])


class ItemReader:
    """Turns a view's stored items into answers for some of its features. Compiled once, then free of state."""

    def __init__(self, projection: ViewProjection) -> None:
        self.projection = projection
        self.sort_key = sort_key(projection.view.name, projection.view.version)
        self.entity: Final = projection.entity.name
        self.key_names = [key.name for key in projection.entity.join_keys]
        self.key_role: Final = f"a join key of entity {self.entity!r}"
        """What such a column is, for messages."""
        self.partition_keys = PartitionKeys(self.entity, [key.dtype for key in projection.entity.join_keys]).of_rows
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

    def answers(self, items: Iterable[Item | None], now_ms: int, withheld: bool) -> Answers:
        """The answers that items give at an instant; ``withheld`` where the whole view is too old to be served.

        Raises OnlineStoreError, naming the item, where one does not hold the view's values.
        """
        # This runs for every item of every lookup, which is why nothing is looked up or made in it that need not be.
        ttl_ms, not_found, decode, take = self._view.expires_ms, self.not_found, self._codec.decode, self._take
        no_nulls, all_present = self._codec.no_nulls, self._all_present
        oldest_ms = None if ttl_ms is None else now_ms - ttl_ms
        answers = Answers([], [], [])
        add_values, add_statuses, add_event_ms = (
            answers.values.append,
            answers.statuses.append,
            answers.event_ms.append,
        )
        for item in items:
            if item is None:
                values, statuses, event_ms = not_found
            else:
                event_ms, packed = _parts(item)
                if withheld or (oldest_ms is not None and event_ms < oldest_ms):
                    values, statuses = self._defaults, self._all_expired
                else:
                    try:
                        values = decode(packed)
                    except OnlineStoreError as error:
                        error.add_note(f"It was read from item {_named(item)}.")
                        raise
                    if take is not None:
                        values = take(values)
                    present = packed.startswith(no_nulls) or None not in values
                    statuses = all_present if present else _statuses(values)
            add_values(values)
            add_statuses(statuses)
            add_event_ms(event_ms)
        return answers

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


def _parts(item: Item) -> tuple[int, bytes]:
    """An item's event time and packed values."""
    try:
        return int(item["e"]["N"]), item["v"]["B"]
    except (KeyError, ValueError) as error:
        raise OnlineStoreError(f"item {_named(item)} is not one of Asof's: attribute {error} is missing") from error


def _taker(indices: Sequence[int]) -> Callable[[Values], Values]:
    """What takes the values at some indices."""
    if len(indices) == 1:
        (index,) = indices
        return lambda values: (values[index],)
    return itemgetter(*indices)


def _statuses(values: Values) -> tuple[FeatureStatus, ...]:
    null, present = FeatureStatus.NULL_VALUE, FeatureStatus.PRESENT
    return tuple([null if each is None else present for each in values])


def _named(item: Item) -> str:
    return f"{item.get('sk', {}).get('S')} of {item.get('pk', {}).get('S')!r}"

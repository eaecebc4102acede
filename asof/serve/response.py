"""The answer of a lookup: column by column, every value with its status, event time and age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from asof.clock import from_ms
from asof.online.answers import FeatureStatus

T = TypeVar("T")

EVENT_TIMESTAMP_POSTFIX: Final = "__ts"
"""What a feature's name gets, as in Feast, for the column of its event times."""


class OnlineColumn(NamedTuple):
    """One column: an element per entity row in each tuple. A join key has no event times.

    The event time of an on-demand feature is the oldest of its inputs'.
    """

    name: str
    values: tuple[Any, ...]
    statuses: tuple[FeatureStatus, ...]
    event_ms: tuple[int | None, ...]

    def ages(self, now_ms: int) -> tuple[int | None, ...]:
        """Milliseconds from each event to ``now_ms``; None where there is no event."""
        return tuple(None if event_ms is None else now_ms - event_ms for event_ms in self.event_ms)


@dataclass(frozen=True, slots=True)
class OnlineResponse:
    """A lookup's answer at ``now_ms``: the join keys' columns, then the features in the order asked.

    ``as_of_ms`` is the watermark of each view that was read, by ``view@vN``; None where the view declares no freshness
    and is no aggregation, or was never published.
    """

    keys: tuple[OnlineColumn, ...]
    features: tuple[OnlineColumn, ...]
    as_of_ms: Mapping[str, int | None]
    now_ms: int

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(column.name for column in self.features)

    @property
    def values(self) -> list[tuple[Any, ...]]:
        """Per entity row, the features' values."""
        return self._rows([column.values for column in self.features])

    @property
    def statuses(self) -> list[tuple[FeatureStatus, ...]]:
        """Per entity row, the features' statuses."""
        return self._rows([column.statuses for column in self.features])

    @property
    def event_timestamps(self) -> list[tuple[int | None, ...]]:
        """Per entity row, the features' event times in milliseconds; None where there is none."""
        return self._rows([column.event_ms for column in self.features])

    @property
    def ages(self) -> list[tuple[int | None, ...]]:
        """Per entity row, the features' ages in milliseconds, from event to lookup; None where there is no event."""
        return self._rows([column.ages(self.now_ms) for column in self.features])

    def column(self, name: str) -> OnlineColumn:
        """The column of that name, a key's or a feature's; raises KeyError."""
        return {each.name: each for each in self.keys + self.features}[name]

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, list[Any]]:
        """Column name -> values, one per entity row, as in Feast.

        With ``include_event_timestamps`` each feature has another column, ``<name>__ts``: aware datetimes, or None.
        """
        columns = {each.name: list(each.values) for each in self.keys + self.features}
        if include_event_timestamps:
            for each in self.features:
                times = [None if event_ms is None else from_ms(event_ms) for event_ms in each.event_ms]
                columns[each.name + EVENT_TIMESTAMP_POSTFIX] = times
        return columns

    def to_rows(self) -> list[dict[str, Any]]:
        """One dict of column name -> value per entity row, in the rows' order."""
        columns = self.to_dict()
        return [dict(zip(columns, row, strict=True)) for row in self._rows(list(columns.values()))]

    def _rows(self, columns: Sequence[Sequence[T]]) -> list[tuple[T, ...]]:
        return list(zip(*columns, strict=True))

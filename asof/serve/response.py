"""The answer of a lookup: column by column, every value with its status, event time and age."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from asof.clock import from_ms
from asof.online.answers import FeatureStatus, ViewAnswer
from asof.serve.plan import LookupPlan

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


@dataclass(frozen=True)
class OnlineResponse:
    """A lookup's answer at ``now_ms``: the join keys' columns, then the features in the order asked.

    It is made of what was asked (``plan``), the join keys' values, the views' answers and the computed columns, and
    turned into columns when those are asked for: most callers want the values alone, and some hundred columns with
    their statuses and times take longer to make than to read.
    """

    plan: LookupPlan
    key_values: Sequence[tuple[object, ...]]
    answers: Sequence[ViewAnswer]
    computed: Sequence[OnlineColumn]
    now_ms: int

    @cached_property
    def keys(self) -> tuple[OnlineColumn, ...]:
        """The join keys' columns."""
        return tuple(map(given_column, self.plan.key_names, self.key_values))

    @cached_property
    def features(self) -> tuple[OnlineColumn, ...]:
        """The features' columns, in the order asked."""
        columns = [*view_columns(self.plan, self.answers), *self.computed]
        return tuple([columns[place] for place in self.plan.outputs])

    @property
    def as_of_ms(self) -> dict[str, int | None]:
        """The watermark of each view that was read, by ``view@vN``.

        None where the view declares no freshness and is no aggregation, or was never published.
        """
        return {answer.projection.view.reference: answer.as_of_ms for answer in self.answers}

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return self.plan.output_names

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
        found: list[list[Any]] = []
        for answer in self.answers:
            found += _value_columns(answer)
        found += [list(column.values) for column in self.computed]
        columns: dict[str, list[Any]] = dict(zip(self.plan.key_names, map(list, self.key_values), strict=True))
        columns.update(zip(self.plan.output_names, map(found.__getitem__, self.plan.outputs), strict=True))
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


def view_columns(plan: LookupPlan, answers: Sequence[ViewAnswer]) -> list[OnlineColumn]:
    """The columns of the features that were read, in the plan's places."""
    columns: list[OnlineColumn] = []
    for answer in answers:
        names = plan.names[len(columns) : len(columns) + len(answer.projection.features)]
        event_ms, statuses = tuple(answer.answers.event_ms), _status_columns(answer)
        values = map(tuple, _value_columns(answer))
        columns += [OnlineColumn(*column, event_ms) for column in zip(names, values, statuses, strict=True)]
    return columns


def given_column(name: str, values: tuple[object, ...]) -> OnlineColumn:
    """A column of what the caller gave."""
    return OnlineColumn(name, values, statuses_of(values), (None,) * len(values))


def statuses_of(values: Iterable[object]) -> tuple[FeatureStatus, ...]:
    """The statuses of values that are there, or null."""
    return tuple([FeatureStatus.NULL_VALUE if value is None else FeatureStatus.PRESENT for value in values])


def _value_columns(answer: ViewAnswer) -> list[list[Any]]:
    """A view's values, feature by feature."""
    rows = answer.answers.values
    if len(rows) == 1:  # most requests are for one entity, and this takes a quarter of the time
        return [[value] for value in rows[0]]
    return list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in answer.projection.features]


def _status_columns(answer: ViewAnswer) -> list[tuple[FeatureStatus, ...]]:
    """A view's statuses, feature by feature."""
    rows = answer.answers.statuses
    if not rows:
        return [() for _ in answer.projection.features]
    first = rows[0]
    if all(row is first for row in rows):  # nearly always: all of them present
        return [(status,) * len(rows) for status in first]
    return list(zip(*rows, strict=True))

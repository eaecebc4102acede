"""What the steps of ``compute_windows`` need to know of a view: its inputs, windows, and the pieces of its features."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.expressions import column
from asof.sql.source_rows import key_aliases, source_columns
from asof.sql.window_aggregates import Aggregate, Input, Running, aggregate, newest

_Piece = TypeVar("_Piece", bound=exp.Expr)


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """An aggregation view, taken apart.

    ``inputs`` are the aggregated columns by name; ``aggregates`` one per feature in declared order; ``newest`` the
    created time of the newest event in the longest window, where the source has one. Times are in milliseconds.
    """

    view: FeatureView
    entity: Entity
    source: BatchSource
    inputs: Mapping[str, Input]
    aggregates: tuple[Aggregate, ...]
    newest: Aggregate | None

    @property
    def keys(self) -> list[str]:
        """The inner names of the keys."""
        return key_aliases(self.entity)

    def key_columns(self) -> list[exp.Expr]:
        """The keys under their inner names, as new expressions."""
        return [column(each) for each in self.keys]

    @property
    def windows(self) -> list[int]:
        """The lengths of the windows, ascending."""
        return sorted({each.window_ms for each in self.aggregates})

    @property
    def cell_ms(self) -> int:
        """The length of a cell: the edges of all windows, at all grid times, are edges of cells."""
        return math.gcd(self.view.step_ms, *self.windows)

    @property
    def folded_windows(self) -> list[int]:
        """The lengths of the windows that need folding, ascending."""
        return sorted({each.window_ms for each in self._all() if each.folds})

    @property
    def distinct(self) -> list[Input]:
        """The inputs whose distinct values are counted."""
        counted = {each.column for each in self.view.aggregations if each.function == "count_distinct"}
        return [given for text, given in self.inputs.items() if text in counted]

    @property
    def cells(self) -> dict[str, exp.Expr]:
        """What is computed of each cell."""
        return _merged(each.cells for each in self._all())

    @property
    def running(self) -> list[Running]:
        """The whole numbers that are kept by addition and subtraction."""
        return list({each.alias: each for one in self._all() for each in one.running}.values())

    @property
    def totals(self) -> dict[str, exp.DataType]:
        """The values of cells that are added up for them, and the types in which that is done."""
        return {text: exp.DataType.build(each.kind) for each in self.running for text in (each.entering, each.leaving)}

    @property
    def anchors(self) -> dict[str, exp.Expr]:
        """What is computed of each side of a block before it is folded."""
        return _merged(each.anchors for each in self._all())

    @property
    def folds(self) -> dict[str, exp.Expr]:
        """What is folded within each side of a block."""
        return _merged(each.folds for each in self._all())

    @property
    def kinds(self) -> dict[str, exp.DataType]:
        """The types of anchors and folds, which are known of each side of a window."""
        return _merged(each.kinds for each in self._all())

    @property
    def merges(self) -> dict[str, exp.Expr]:
        """What is put together from the two sides of a window."""
        return _merged(each.merges for each in self._all())

    @property
    def joins(self) -> dict[str, exp.Expr]:
        """What is computed from several merges."""
        return _merged(each.joins for each in self._all())

    def _all(self) -> tuple[Aggregate, ...]:
        return (*self.aggregates, self.newest) if self.newest else self.aggregates


def window_plan(view: FeatureView, entity: Entity, source: BatchSource) -> WindowPlan:
    """The plan of an aggregation view."""
    has_created = source.created_timestamp_column is not None
    types = source_columns(source)
    names = dict.fromkeys(each.column for each in view.aggregations if each.column is not None)
    inputs = {text: Input(place, types[text], has_created) for place, text in enumerate(names)}
    aggregates = tuple(aggregate(each, inputs.get(each.column or "")) for each in view.aggregations)
    longest = max(each.window_ms for each in view.aggregations)
    return WindowPlan(view, entity, source, inputs, aggregates, newest(longest) if has_created else None)


def _merged(parts: Iterable[Mapping[str, _Piece]]) -> dict[str, _Piece]:
    return {alias: value for part in parts for alias, value in part.items()}

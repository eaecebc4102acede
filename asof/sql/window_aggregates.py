"""How each aggregation function is computed from pieces that can be put together in any number of steps.

The pipeline of ``compute_windows`` has these layers; an aggregate says what it needs of each, under names that equal
needs share:

- *cells*: aggregates over the events of one cell of time (``e`` event ms, ``c`` created ms, ``x0, x1, ...`` inputs);
- *running*: whole numbers that have entered a window less those that have left it, which is exact;
- *anchors* and *folds*: everything else is folded from either end of a block of time, over frames that only grow, since
  a double cannot be subtracted again and an extreme cannot be taken back;
- *merges* and *joins*: a window is the end of one block and the beginning of the next, so two folds make its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from sqlglot import exp

from asof.manifest import Aggregation
from asof.sql.expressions import (
    case,
    column,
    field_of,
    is_nan,
    is_null,
    is_present,
    nan,
    number,
    renamed,
    row_of,
    sql_type,
)

HEAD, TAIL = "head", "tail"
"""The sides of a window: the beginning of the block its end is in, and the end of the block before."""

_WIDE: Final = "decimal(38, 0)"
"""What sums of all cells are kept in: those of single windows fit a bigint."""


def on_side(side: str, alias: str, window: int) -> str:
    """What a fold or an anchor of a side of a window is called; it is NULL where the side has no cells."""
    return f"{side}_{alias}_{window}"


@dataclass(frozen=True, slots=True)
class Running:
    """A whole number of a window: ``entering`` of the cells that have entered less ``leaving`` of those that have left.

    ``kind`` is the type in which all cells' are added up.
    """

    entering: str
    leaving: str
    window_ms: int
    kind: str = "bigint"

    @property
    def alias(self) -> str:
        """The name of the number."""
        return f"{self.entering}_in_{self.window_ms}"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What one feature needs of each layer, and its value over the columns of the last.

    ``kinds`` are the types of the anchors and folds.
    """

    window_ms: int
    value: exp.Expr
    cells: Mapping[str, exp.Expr]
    running: tuple[Running, ...] = ()
    anchors: Mapping[str, exp.Expr] = field(default_factory=dict)
    folds: Mapping[str, exp.Expr] = field(default_factory=dict)
    kinds: Mapping[str, exp.DataType] = field(default_factory=dict)
    merges: Mapping[str, exp.Expr] = field(default_factory=dict)
    joins: Mapping[str, exp.Expr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """An aggregated column: its place among the inputs and its type. Timestamps are bigint milliseconds here."""

    place: int
    dtype: str
    has_created: bool

    @property
    def x(self) -> exp.Column:
        """The value of one event."""
        return column(f"x{self.place}")

    @property
    def kind(self) -> exp.DataType:
        """Its type inside a query."""
        return exp.DataType.build("bigint") if self.dtype == "Timestamp" else sql_type(self.dtype)


def aggregate(aggregation: Aggregation, given: Input | None) -> Aggregate:
    """The pieces of one aggregation over its input; a count of rows has none."""
    window = aggregation.window_ms
    if given is None:
        return _running_count("n", exp.Count(this=exp.Star()), window)
    if aggregation.function == "sum" and given.dtype == "Float64":
        return _double_sum(given, window)
    return _FUNCTIONS[aggregation.function](given, window)


@dataclass(frozen=True, slots=True)
class _Parts:
    """How a fold is put together: over cells by an aggregate function, of head and tail by ``merge``; and its type."""

    combine: Callable[..., exp.Expr]
    merge: Callable[[exp.Expr, exp.Expr], exp.Expr]
    kind: exp.DataType


def newest(window: int) -> Aggregate:
    """The greatest created time of the events in a window."""
    return _fold("newest", exp.Max(this=column("c")), _Parts(exp.Max, _greater, exp.DataType.build("bigint")), window)


def _running_count(alias: str, cell: exp.Expr, window: int) -> Aggregate:
    running = Running(alias, alias, window)
    return Aggregate(window, value=column(running.alias), cells={alias: cell}, running=(running,))


def _fold(alias: str, cell: exp.Expr, parts: _Parts, window: int) -> Aggregate:
    """A function that is its own way of being put together from parts: sums, extremes."""
    merged = f"{alias}_{window}"
    head, tail = (column(on_side(side, alias, window)) for side in (HEAD, TAIL))
    return Aggregate(
        window,
        value=column(merged),
        cells={alias: cell},
        folds={alias: parts.combine(this=column(alias))},
        kinds={alias: parts.kind},
        merges={merged: parts.merge(head, tail)},
    )


def _added(head: exp.Expr, tail: exp.Expr) -> exp.Expr:
    return exp.func("COALESCE", head + tail, head.copy(), tail.copy())


def _greater(head: exp.Expr, tail: exp.Expr) -> exp.Expr:
    return exp.Case().when(exp.or_(is_null(head), tail > head), tail.copy()).else_(head.copy())


def _lesser(head: exp.Expr, tail: exp.Expr) -> exp.Expr:
    return exp.Case().when(exp.or_(is_null(head), tail < head), tail.copy()).else_(head.copy())


def _later(head: exp.Expr, tail: exp.Expr) -> exp.Expr:
    return exp.func("COALESCE", head, tail)


def _earlier(head: exp.Expr, tail: exp.Expr) -> exp.Expr:
    return exp.func("COALESCE", tail, head)


def _count(given: Input, window: int) -> Aggregate:
    return _running_count(f"n{given.place}", exp.Count(this=given.x), window)


def _whole_sum(given: Input, window: int) -> Aggregate:
    count, total = f"n{given.place}", f"s{given.place}"
    running = (Running(count, count, window), Running(total, total, window, _WIDE))
    return Aggregate(
        window,
        value=case(_any(column(running[0].alias)), column(running[1].alias)),
        cells={
            count: exp.Count(this=given.x),
            total: exp.cast(exp.func("COALESCE", exp.Sum(this=given.x), number(0)), "bigint"),
        },
        running=running,
    )


def _mean(given: Input, window: int) -> Aggregate:
    """The sum, in doubles, divided by the count. Whole numbers are summed exactly before they become a double."""
    if given.dtype == "Float64":
        total = _double_sum(given, window)
        count = _count(given, window)
    else:
        total = count = _whole_sum(given, window)
    rows = column(Running(f"n{given.place}", f"n{given.place}", window).alias)
    return Aggregate(
        window,
        value=case(_any(rows), exp.Div(this=_double(total.value), expression=_double(rows))),
        cells={**total.cells, **count.cells},
        running=count.running,
        folds=total.folds,
        kinds=total.kinds,
        merges=total.merges,
    )


def _double_sum(given: Input, window: int) -> Aggregate:
    return _fold(f"t{given.place}", exp.Sum(this=given.x), _Parts(exp.Sum, _added, given.kind), window)


def _min(given: Input, window: int) -> Aggregate:
    return _or_nan(given, _lowest(given, window))


def _max(given: Input, window: int) -> Aggregate:
    return _or_nan(given, _highest(given, window))


def _lowest(given: Input, window: int) -> Aggregate:
    return _fold(f"lo{given.place}", exp.Min(this=_numbers(given)), _Parts(exp.Min, _lesser, given.kind), window)


def _highest(given: Input, window: int) -> Aggregate:
    return _fold(f"hi{given.place}", exp.Max(this=_numbers(given)), _Parts(exp.Max, _greater, given.kind), window)


def _numbers(given: Input) -> exp.Expr:
    return case(exp.not_(is_nan(given.x)), given.x) if given.dtype == "Float64" else given.x


def _or_nan(given: Input, extreme: Aggregate) -> Aggregate:
    """NaN where there are values and none of them is a number. Engines do not agree on where NaN stands."""
    if given.dtype != "Float64":
        return extreme
    count = _count(given, extreme.window_ms)
    value = exp.func("COALESCE", extreme.value, case(_any(count.value), nan()))
    return replace(extreme, value=value, cells={**extreme.cells, **count.cells}, running=count.running)


def _last(given: Input, window: int) -> Aggregate:
    row = _endmost_row(given)
    return _endmost("last", _Parts(exp.Max, _later, row.to), row, given, window)


def _first(given: Input, window: int) -> Aggregate:
    row = _endmost_row(given)
    return _endmost("first", _Parts(exp.Min, _earlier, row.to), row, given, window)


def _endmost(alias: str, parts: _Parts, row: exp.Expr, given: Input, window: int) -> Aggregate:
    built = _fold(f"{alias}{given.place}", parts.combine(this=case(is_present(given.x), row)), parts, window)
    value = field_of(built.value.name, "x")
    if given.dtype == "Float64":
        flagged = exp.EQ(this=field_of(built.value.name, "nan"), expression=number(1))
        value = case(flagged, nan(), value)
    return replace(built, value=value)


def _endmost_row(given: Input) -> exp.Cast:
    """(Event time, created time, value), compared as one ROW, of which no field is NULL.

    NaN is replaced by a flag, because engines do not agree on where it stands.
    """
    fields: dict[str, tuple[exp.Expr, exp.DataType]] = {"e": (column("e"), exp.DataType.build("bigint"))}
    if given.has_created:
        fields["c"] = (column("c"), exp.DataType.build("bigint"))
    if given.dtype == "Float64":
        fields["nan"] = (case(is_nan(given.x), number(1), number(0)), exp.DataType.build("integer"))
        fields["x"] = (case(is_nan(given.x), _zero(), given.x), given.kind)
    else:
        fields["x"] = (given.x, given.kind)
    return row_of(fields)


def _count_distinct(given: Input, window: int) -> Aggregate:
    """Each value's events, one after another, cover stretches of time; the stretches over an instant are counted.

    A stretch begins at an event whose predecessor has left the window, and ends a window after an event that no other
    follows in time. ``before`` and ``after`` are the cells of the value's previous and next event.
    """
    entering, leaving = (f"{each}{given.place}_{window}" for each in ("starts", "ends"))
    before, after = column(f"before{given.place}"), column(f"after{given.place}")
    at = column("at")

    def counted(neighbour: exp.Expr, gap: exp.Expr) -> exp.Expr:
        alone = exp.or_(is_null(neighbour), exp.GTE(this=gap, expression=number(window)))
        return exp.Count(this=case(exp.and_(is_present(given.x), alone), number(1)))

    running = Running(entering, leaving, window)
    return Aggregate(
        window,
        value=column(running.alias),
        cells={entering: counted(before, at - before), leaving: counted(after, after - at)},
        running=(running,),
    )


def _stddev(given: Input, window: int) -> Aggregate:
    """The sample standard deviation, put together from counts, means and squared deviations of parts.

    Within a side, deviations are taken from the mean of its first cell, which is part of the data: the rounding error
    is then at most the number of events times that of a double. The sides are joined by the formula of Chan, Golub and
    LeVeque (1979). Equal values have a deviation of exactly 0.
    """
    i = given.place
    x = _double(given.x)
    rows, mean, anchor = _double(column(f"n{i}")), column(f"mean{i}"), column(f"anchor{i}")
    shift = exp.paren(mean - anchor)
    low, high = _lowest(given, window), _highest(given, window)
    cells = {
        f"n{i}": exp.Count(this=given.x),
        f"mean{i}": exp.Avg(this=x),
        f"square{i}": exp.VariancePop(this=x.copy()) * exp.Count(this=given.x),
        **low.cells,
        **high.cells,
    }
    first = exp.ArgMin(this=mean.copy(), expression=case(_any(column(f"n{i}")), column("ord")))
    folds = {
        f"dn{i}": exp.Sum(this=rows),
        f"dx{i}": exp.Sum(this=rows * shift),
        f"dq{i}": exp.Sum(this=column(f"square{i}") + rows * shift * shift),
        **low.folds,
        **high.folds,
    }
    merges = {**low.merges, **high.merges}
    n, d, q = (column(f"{each}{i}") for each in ("dn", "dx", "dq"))
    parts = {"n": n, "mean": anchor + d / n, "square": q - d * d / n}
    for side in (HEAD, TAIL):
        for part, folded in parts.items():
            merges[f"{part}{i}_{window}_{side}"] = renamed(case(_any(n), folded), partial(on_side, side, window=window))
    rows_joined, square_joined = f"deviating{i}_{window}", f"square{i}_{window}"
    joins = {rows_joined: _joined("n", i, window), square_joined: _joined_square(i, window)}
    value = _root(column(rows_joined), column(square_joined), low.value, high.value)
    kinds = {**dict.fromkeys((f"anchor{i}", *folds), exp.DataType.build("double")), **low.kinds, **high.kinds}
    return Aggregate(
        window,
        value=value,
        cells=cells,
        anchors={f"anchor{i}": first},
        folds=folds,
        kinds=kinds,
        merges=merges,
        joins=joins,
    )


def _joined(part: str, i: int, window: int) -> exp.Expr:
    """The sum of a part over the two sides; a side without events counts as 0."""
    head, tail = (exp.func("COALESCE", column(f"{part}{i}_{window}_{side}"), _zero()) for side in (HEAD, TAIL))
    return head + tail


def _joined_square(i: int, window: int) -> exp.Expr:
    (n0, mean0), (n1, mean1) = (
        (column(f"n{i}_{window}_{side}"), column(f"mean{i}_{window}_{side}")) for side in (HEAD, TAIL)
    )
    gap = exp.paren(mean0 - mean1)
    # NULL, and so 0, where a side has no events
    between = exp.func("COALESCE", gap * gap * n0 * n1 / exp.paren(n0 + n1), _zero())
    return _joined("square", i, window) + between


def _root(rows: exp.Expr, square: exp.Expr, low: exp.Expr, high: exp.Expr) -> exp.Expr:
    equal = exp.and_(exp.EQ(this=low.copy(), expression=high.copy()), exp.not_(is_nan(square)))
    return (
        exp.Case()
        .when(exp.LT(this=rows, expression=number(2)), exp.null())
        .when(exp.or_(equal, exp.LT(this=square, expression=number(0))), _zero())
        .else_(exp.Sqrt(this=square / exp.paren(rows - 1)))
    )


def _zero() -> exp.Expr:
    return exp.cast(number(0), "double")


def _any(count: exp.Expr) -> exp.Expr:
    return exp.GT(this=count.copy(), expression=number(0))


def _double(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), "double")


_FUNCTIONS: Mapping[str, Callable[[Input, int], Aggregate]] = {
    "count": _count,
    "sum": _whole_sum,
    "mean": _mean,
    "stddev": _stddev,
    "min": _min,
    "max": _max,
    "last": _last,
    "first": _first,
    "count_distinct": _count_distinct,
}

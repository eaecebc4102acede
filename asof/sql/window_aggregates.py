"""How each aggregation function is computed from pieces that can be put together in any number of steps.

The pipeline of ``compute_windows`` has these layers; an aggregate says what it needs of each, under names that equal
needs share:

- *cells*: aggregates over the events of one cell of time (``e`` event ms, ``c`` created ms, ``x0, x1, ...`` inputs);
- *running*: whole numbers that are added when a cell enters a window and subtracted when it leaves, which is exact;
- *anchors* and *folds*: everything else is folded from the beginning of a block of time on, over frames that only grow,
  since a double cannot be subtracted again and an extreme cannot be taken back;
- *merges* and *joins*: a window is the end of one block and the beginning of the next, so two folds make its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from asof.manifest import Aggregation
from asof.sql.expressions import case, column, is_nan, is_null, is_present, name, nan, number, sql_type

TAIL, HEAD = 1, 0
"""The sides of a window: the end of the earlier block, and the beginning of the block its end is in."""


@dataclass(frozen=True, slots=True)
class Running:
    """A count in the window, kept by adding the cell's ``entering`` and later subtracting its ``leaving``."""

    entering: str
    leaving: str
    window_ms: int

    @property
    def alias(self) -> str:
        """The name of the count."""
        return f"{self.entering}_in_{self.window_ms}"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What one feature needs of each layer, and its value over the columns of the last."""

    window_ms: int
    value: exp.Expr
    cells: Mapping[str, exp.Expr]
    running: tuple[Running, ...] = ()
    anchors: Mapping[str, exp.Expr] = field(default_factory=dict)
    folds: Mapping[str, exp.Expr] = field(default_factory=dict)
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


def aggregate(aggregation: Aggregation, given: Input | None) -> Aggregate:
    """The pieces of one aggregation over its input; a count of rows has none."""
    window = aggregation.window_ms
    if given is None:
        return _running_count("n", exp.Count(this=exp.Star()), window)
    if aggregation.function == "sum" and given.dtype == "Float64":
        return _fold(f"t{given.place}", exp.Sum(this=given.x), exp.Sum, window)
    return _FUNCTIONS[aggregation.function](given, window)


def newest(window: int) -> Aggregate:
    """The greatest created time of the events in a window."""
    return _fold("newest", exp.Max(this=column("c")), exp.Max, window)


def _running_count(alias: str, cell: exp.Expr, window: int) -> Aggregate:
    running = Running(alias, alias, window)
    return Aggregate(window, value=column(running.alias), cells={alias: cell}, running=(running,))


def _fold(alias: str, cell: exp.Expr, combine: Callable[..., exp.Expr], window: int) -> Aggregate:
    """A function that is its own way of being put together from parts: sums, extremes."""
    merged = f"{alias}_{window}"
    return Aggregate(
        window,
        value=column(merged),
        cells={alias: cell},
        folds={alias: combine(this=column(alias))},
        merges={merged: combine(this=case(_in_window(window), column(alias)))},
    )


def _in_window(window: int, side: int | None = None) -> exp.Expr:
    """Whether a row is of one window length, and of one side of it where a side is given."""
    condition: exp.Expr = exp.EQ(this=column("w"), expression=number(window))
    if side is not None:
        condition = exp.and_(condition, exp.EQ(this=column("side"), expression=number(side)))
    return condition


def _count(given: Input, window: int) -> Aggregate:
    return _running_count(f"n{given.place}", exp.Count(this=given.x), window)


def _whole_sum(given: Input, window: int) -> Aggregate:
    count, total = f"n{given.place}", f"s{given.place}"
    running = (Running(count, count, window), Running(total, total, window))
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
        total = _fold(f"t{given.place}", exp.Sum(this=given.x), exp.Sum, window)
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
        merges=total.merges,
    )


def _min(given: Input, window: int) -> Aggregate:
    return _fold(f"lo{given.place}", exp.Min(this=given.x), exp.Min, window)


def _max(given: Input, window: int) -> Aggregate:
    combine = _greatest_number if given.dtype == "Float64" else exp.Max
    return _fold(f"hi{given.place}", combine(this=given.x), combine, window)


def _greatest_number(this: exp.Expr) -> exp.Expr:
    """``max`` that gives NaN only where there is nothing else, as Trino's own (and everyone's ``min``) does."""
    numbers = case(exp.not_(is_nan(this)), this)
    return exp.func("COALESCE", exp.Max(this=numbers), exp.Max(this=this.copy()))


def _last(given: Input, window: int) -> Aggregate:
    return _endmost("last", exp.Max, given, window)


def _first(given: Input, window: int) -> Aggregate:
    return _endmost("first", exp.Min, given, window)


def _endmost(alias: str, combine: Callable[..., exp.Expr], given: Input, window: int) -> Aggregate:
    """The value of the extreme (event time, created time, value), compared as one ROW. None of its fields is NULL.

    NaN is replaced by a flag, because engines do not agree on where it stands.
    """
    fields: dict[str, tuple[exp.Expr, str]] = {"e": (column("e"), "bigint")}
    if given.has_created:
        fields["c"] = (column("c"), "bigint")
    if given.dtype == "Float64":
        fields["nan"] = (case(is_nan(given.x), number(1), number(0)), "integer")
        fields["x"] = (case(is_nan(given.x), exp.cast(number(0), "double"), given.x), "double")
    else:
        kind = exp.DataType.build("bigint") if given.dtype == "Timestamp" else sql_type(given.dtype)
        fields["x"] = (given.x, kind.sql())
    row = exp.cast(
        exp.func("ROW", *(value for value, _ in fields.values()), dialect="athena"),
        exp.DataType(
            this=exp.DType.STRUCT,
            nested=True,
            expressions=[
                exp.ColumnDef(this=name(each), kind=exp.DataType.build(kind)) for each, (_, kind) in fields.items()
            ],
        ),
    )
    built = _fold(f"{alias}{given.place}", combine(this=case(is_present(given.x), row)), combine, window)
    value: exp.Expr = exp.Dot(this=built.value.copy(), expression=name("x"))
    if given.dtype == "Float64":
        flagged = exp.EQ(this=exp.Dot(this=built.value.copy(), expression=name("nan")), expression=number(1))
        value = case(flagged, nan(), value)
    return Aggregate(window, value=value, cells=built.cells, folds=built.folds, merges=built.merges)


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
    low, high = _min(given, window), _max(given, window)
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
        filled = exp.and_(_in_window(window, side), _any(n))
        for part, folded in parts.items():
            merges[f"{part}{i}_{window}_{side}"] = exp.AnyValue(this=case(filled, folded))
    rows_joined, square_joined = f"deviating{i}_{window}", f"square{i}_{window}"
    joins = {rows_joined: _joined("n", i, window), square_joined: _joined_square(i, window)}
    value = _root(column(rows_joined), column(square_joined), low.value, high.value)
    return Aggregate(
        window, value=value, cells=cells, anchors={f"anchor{i}": first}, folds=folds, merges=merges, joins=joins
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

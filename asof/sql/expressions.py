"""Small expressions the queries share, each meaning the same on Athena (Trino) and on DuckDB.

- Instants are integer milliseconds inside a query; ``to_ms`` and ``from_ms`` cross the border. Columns of type
  timestamp have no zone and mean UTC, and whatever is finer than a millisecond is floored.
- Nothing here divides integers: Trino truncates where DuckDB would give a double.
- NaN: Trino's ``max`` and ``ORDER BY ... ASC NULLS FIRST`` rank it below every number, DuckDB's above; within arrays
  too. ``greatest_number`` and ``descending`` give one order on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sqlglot import exp

from asof.manifest import BatchSource, FeatureView
from asof.names import history_table, source_table, staging_table
from asof.value_types import parse_type


def name(text: str) -> exp.Identifier:
    """A quoted identifier: columns may be called anything."""
    return exp.to_identifier(text, quoted=True)


def column(text: str, table: str | None = None) -> exp.Column:
    """``"text"`` or ``"table"."text"``."""
    return exp.Column(this=name(text), table=name(table) if table else None)


def named(expression: exp.Expr, alias: str) -> exp.Expr:
    """The expression under a quoted alias, for a select list."""
    return exp.alias_(expression, alias, quoted=True)


def number(value: int) -> exp.Expr:
    """An integer literal."""
    return exp.Literal.number(value)


def parameter(text: str) -> exp.Placeholder:
    """``:text``, to be bound by ``asof.sql.binding``."""
    return exp.Placeholder(this=text)


def table(text: str, alias: str | None = None) -> exp.Expr:
    """A table or an earlier common table expression, unqualified, for FROM."""
    relation = exp.Table(this=name(text))
    return exp.alias_(relation, alias, table=True, quoted=True) if alias else relation


def source_relation(source: BatchSource) -> exp.Table:
    """The Glue table a source is read from: its own, or the one Asof registers over its S3 prefix."""
    database, _, text = (source.table or source_table(source.name)).rpartition(".")
    return exp.Table(this=name(text), db=name(database) if database else None)


def history_relation(view: FeatureView) -> exp.Expr:
    """The view's history table, unqualified."""
    return table(history_table(view.name, view.version))


def staging_relation(view: FeatureView) -> exp.Expr:
    """The view's staging table, unqualified."""
    return table(staging_table(view.name, view.version))


def sql_type(dtype: str) -> exp.DataType:
    """The SQL type of a value type's text."""
    return exp.DataType.build(parse_type(dtype).glue, dialect="hive")


def typed(expression: exp.Expr, dtype: str) -> exp.Expr:
    """The expression cast to a value type. Timestamps are floored first; a bare cast would round on Trino."""
    if dtype == "Timestamp":
        return from_ms(to_ms(expression))
    return exp.cast(expression, sql_type(dtype))


def to_ms(timestamp: exp.Expr) -> exp.Expr:
    """Milliseconds since the epoch of a timestamp, floored, as bigint; NULL stays NULL."""
    return exp.DateDiff(this=timestamp, expression=_epoch(), unit=exp.var("MILLISECOND"))


def from_ms(value_ms: exp.Expr) -> exp.Expr:
    """The timestamp (three digits, UTC) of milliseconds since the epoch."""
    return exp.DateAdd(this=_epoch(), expression=exp.cast(value_ms, "bigint"), unit=exp.var("MILLISECOND"))


def _epoch() -> exp.Expr:
    return exp.cast(exp.Literal.string("1970-01-01 00:00:00"), "timestamp")


def utc_date_text(timestamp: exp.Expr) -> exp.Expr:
    """The calendar date of a timestamp as text, ``YYYY-MM-DD``."""
    return exp.cast(exp.cast(timestamp, "date"), "varchar")


def case(condition: exp.Expr, then: exp.Expr, otherwise: exp.Expr | None = None) -> exp.Case:
    """``CASE WHEN condition THEN then [ELSE otherwise] END``; copies its arguments."""
    built = exp.Case().when(condition.copy(), then.copy())
    return built.else_(otherwise.copy()) if otherwise is not None else built


def is_null(expression: exp.Expr) -> exp.Expr:
    """``expression IS NULL``."""
    return exp.Is(this=expression.copy(), expression=exp.null())


def is_present(expression: exp.Expr) -> exp.Expr:
    """``NOT expression IS NULL``."""
    return exp.not_(is_null(expression))


def is_nan(expression: exp.Expr) -> exp.Expr:
    """Whether a double is NaN; NULL for NULL."""
    return exp.IsNan(this=expression.copy())


def nan() -> exp.Expr:
    """NaN as a double; Trino's ``nan()`` does not exist on DuckDB."""
    return exp.cast(exp.Literal.string("NaN"), "double")


def differs(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Null-safe inequality; NaN equals NaN on both engines."""
    return exp.NullSafeNEQ(this=left.copy(), expression=right.copy())


def same(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Null-safe equality; NaN equals NaN on both engines."""
    return exp.NullSafeEQ(this=left.copy(), expression=right.copy())


def later(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """The greater of two values that are not NULL; ``greatest`` would treat NULL and NaN differently per engine."""
    return case(left > right, left, right)


def grid_ceil(value_ms: exp.Expr, step_ms: int, offset_ms: int) -> exp.Expr:
    """The first grid time at or after an instant; agrees with ``asof.clock.grid_ceil``."""
    # `%` keeps the sign of its left side on both engines, hence the second round.
    return value_ms.copy() + ((exp.Literal.number(offset_ms % step_ms) - value_ms.copy()) % step_ms + step_ms) % step_ms


def descending(value: exp.Expr, dtype: str) -> Iterator[exp.Expr]:
    """ORDER BY terms that put the greatest value first: NaN, then numbers from the greatest down, then NULL."""
    if dtype == "Float64":
        yield exp.Ordered(this=case(is_nan(value), number(1), number(0)), desc=True, nulls_first=False)
    yield exp.Ordered(this=value.copy(), desc=True, nulls_first=False)


def exceeds(left: exp.Expr, right: exp.Expr, dtype: str) -> exp.Expr:
    """Whether left comes before right in ``descending`` order; never NULL."""
    greater: exp.Expr = left > right
    if dtype == "Float64":
        greater = exp.Case().when(is_nan(right), exp.false()).when(is_nan(left), exp.true()).else_(greater)
    return exp.func("COALESCE", greater, exp.and_(is_present(left), is_null(right)))


def over(
    function: exp.Expr, partition: Iterable[exp.Expr], order: Iterable[exp.Expr] = (), *, growing: bool = False
) -> exp.Window:
    """``function OVER (PARTITION BY ... ORDER BY ...)``; ``growing``: over all rows so far, those of equal order too.

    A frame that only grows is cheap and exact everywhere. Trino moves a sliding frame of sums by subtracting what
    leaves it, and doubles do not survive that.
    """
    terms = list(order)
    frame = exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW", end_side=None)
    return exp.Window(
        this=function,
        partition_by=[each.copy() for each in partition],
        order=exp.Order(expressions=terms) if terms else None,
        spec=frame if growing else None,
    )


def windowed(expression: exp.Expr, widen: Callable[[exp.AggFunc], exp.Expr]) -> exp.Expr:
    """The expression with every aggregate function in it as ``widen`` has it."""

    def change(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window):
            return widen(node)
        return node

    return expression.copy().transform(change)


def renamed(expression: exp.Expr, rename: Callable[[str], str]) -> exp.Expr:
    """The expression with every column called what ``rename`` says."""

    def change(node: exp.Expr) -> exp.Expr:
        return column(rename(node.name)) if isinstance(node, exp.Column) else node

    return expression.copy().transform(change)


def row_of(fields: Mapping[str, tuple[exp.Expr, exp.DataType]]) -> exp.Cast:
    """One ROW of named and typed fields; its type is its ``to``."""
    kinds = [exp.ColumnDef(this=name(each), kind=kind.copy()) for each, (_, kind) in fields.items()]
    values = (value.copy() for value, _ in fields.values())
    row = exp.func("ROW", *values, dialect="athena")
    return exp.cast(row, exp.DataType(this=exp.DType.STRUCT, nested=True, expressions=kinds))


def field_of(row: str, text: str) -> exp.Expr:
    """A field of a column that is a ROW."""
    return exp.Dot(this=column(row), expression=name(text))


def ascending(expression: exp.Expr) -> exp.Ordered:
    """An ORDER BY term, smallest first, NULL lowest; said always, because engines differ where it is not."""
    return exp.Ordered(this=expression.copy(), desc=False, nulls_first=True)

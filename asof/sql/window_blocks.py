"""What cannot be subtracted again (sums of doubles, extremes, deviations) over sliding windows, by growing frames.

Time is cut into blocks as long as the window, ending on the view's grid offset. A window is then the tail of one block
and the head of the next:

    parts     cells in both orders, forwards for heads and backwards for tails, with the ends of windows among them
    anchored  a fixed point of each side, where deviations are wanted
    folded    sums and extremes of each side, from its beginning on
    merged    tail and head put together: one row per entity and grid time
    joined    what takes several of these
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asof.sql.expressions import ascending, case, column, named, number, table, windowed
from asof.sql.window_aggregates import HEAD, TAIL
from asof.sql.window_plan import WindowPlan

_HEAD_ROW, _TAIL_CELL, _TAIL_END = 0, 1, 2


def folded_rows(plan: WindowPlan) -> Iterator[tuple[str, exp.Select]]:
    """The steps that begin with ``running``, as ``(name, query)``."""
    yield "parts", _parts(plan)
    if plan.anchors:
        yield "anchored", _anchored(plan)
    yield "folded", _folded(plan, "anchored" if plan.anchors else "parts")
    yield "merged", _merged(plan)
    if plan.joins:
        yield "joined", _joined(plan)


def _parts(plan: WindowPlan) -> exp.Select:
    """Each position once per window length and kind: in a head, as a cell of a tail, as the far end of a window's tail.

    ``block`` is the end of the block, ``ord`` the place in its side. In a tail it runs backwards; the far end of the
    window that ends at ``pos`` comes just after the last cell inside it.
    """
    kind, window, pos = column("kind"), column("w"), column("pos")
    kinds = [(kind, each) for each in plan.folded_windows for kind in (_HEAD_ROW, _TAIL_CELL, _TAIL_END)]
    is_end = exp.EQ(this=kind, expression=number(_TAIL_END))
    block = pos + _until_block_end(plan.view.offset_ms, pos, window)
    order = (
        exp.Case(this=kind)
        .when(number(_HEAD_ROW), pos)
        .when(number(_TAIL_CELL), exp.Neg(this=pos))
        .else_(window - 1 - pos)
    )
    plain = [*plan.keys, "pos", "is_due", "kind", "w", *(each.alias for each in plan.running)]
    query = exp.select(
        *(column(each) for each in plain),
        named(case(exp.EQ(this=kind, expression=number(_HEAD_ROW)), number(HEAD), number(TAIL)), "side"),
        named(case(is_end, block - window, block), "block"),
        named(order, "ord"),
        *(named(case(exp.not_(is_end), column(each)), each) for each in plan.folded_cells),
    )
    query = query.from_(table("running")).join(
        exp.values(kinds, alias="kinds", columns=["kind", "w"]), join_type="cross"
    )
    has_cell, is_due = (exp.EQ(this=column(each), expression=number(1)) for each in ("has_cell", "is_due"))
    wanted = exp.Case(this=kind).when(number(_HEAD_ROW), exp.or_(has_cell, is_due)).when(number(_TAIL_CELL), has_cell)
    return query.where(wanted.else_(is_due))


def _until_block_end(offset_ms: int, pos: exp.Expr, window: exp.Expr) -> exp.Expr:
    """From an instant to the end of its block; blocks are as long as the window and end on the view's offset."""
    return exp.paren(exp.paren(exp.paren(number(offset_ms) - pos) % window + window) % window)


def _anchored(plan: WindowPlan) -> exp.Select:
    query = exp.select(exp.Star()).from_(table("parts"))
    return query.select(*(named(windowed(value, _side(plan)), alias) for alias, value in plan.anchors.items()))


def _folded(plan: WindowPlan, parts: str) -> exp.Select:
    plain = [*plan.keys, "pos", "is_due", "kind", "w", "side", *(each.alias for each in plan.running), *plan.anchors]
    so_far = [ascending(column("ord"))]
    folds = (named(windowed(value, _side(plan), so_far, growing=True), alias) for alias, value in plan.folds.items())
    return exp.select(*(column(each) for each in plain), *folds).from_(table(parts))


def _side(plan: WindowPlan) -> list[exp.Expr]:
    return [*plan.key_columns(), *(column(each) for each in ("w", "side", "block"))]


def _merged(plan: WindowPlan) -> exp.Select:
    running = (named(exp.AnyValue(this=column(each.alias)), each.alias) for each in plan.running)
    merges = (named(value, alias) for alias, value in plan.merges.items())
    query = exp.select(*plan.key_columns(), column("pos"), named(number(1), "is_due"), *running, *merges)
    is_due = exp.EQ(this=column("is_due"), expression=number(1))
    is_end = exp.NEQ(this=column("kind"), expression=number(_TAIL_CELL))
    query = query.from_(table("folded")).where(is_due, is_end, copy=False)
    return query.group_by(*plan.key_columns(), column("pos"), copy=False)


def _joined(plan: WindowPlan) -> exp.Select:
    joins = (named(value, alias) for alias, value in plan.joins.items())
    return exp.select(exp.Star(), *joins).from_(table("merged"))

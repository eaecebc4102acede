"""What cannot be subtracted again (sums of doubles, extremes, deviations) over sliding windows, by growing frames.

Time is cut into blocks as long as the window, ending on the view's grid offset. A window is then the tail of one block
and the head of the next. Both are folded over the cells, before there is a row per grid time: a cell has the fold of
its block from the beginning to it (head), and from it to the end (tail).

    anchored  a fixed point of each side, where deviations are wanted
    folded    the previous and the next cell, whole numbers added up so far, and the folds of each window's two sides
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from asof.sql.expressions import ascending, column, named, number, over, renamed, table, windowed
from asof.sql.window_aggregates import HEAD, TAIL, on_side
from asof.sql.window_plan import WindowPlan


def folded_cells(plan: WindowPlan) -> Iterator[tuple[str, exp.Select]]:
    """The steps that begin with ``cells``, as ``(name, query)``.

    The last has the keys, ``at``, ``before`` and ``after`` (the neighbours' ``at``), each of the plan's totals under
    its own name (of the cell) and as ``total_...`` (so far, with the cell), and what ``on_side`` names.
    """
    if plan.anchors:
        yield "anchored", _anchored(plan)
    yield "folded", _folded(plan, "anchored" if plan.anchors else "cells")


def block_end(plan: WindowPlan, at: exp.Expr, window: int) -> exp.Expr:
    """The end of the block an instant is in; blocks are as long as the window and end on the view's offset."""
    ahead = (number(plan.view.offset_ms % window) - at.copy()) % window
    return at.copy() + exp.paren(exp.paren(ahead + window) % window)


def _anchored(plan: WindowPlan) -> exp.Select:
    query = exp.select(exp.Star()).from_(table("cells"))
    for window, side, order in _sides(plan):
        for alias, value in plan.anchors.items():
            anchor = windowed(_ordered(value, order), _frame(plan, window))
            query = query.select(named(anchor, on_side(side, alias, window)), copy=False)
    return query


def _folded(plan: WindowPlan, cells: str) -> exp.Select:
    keys, at = plan.key_columns(), column("at")
    query = exp.select(*keys, at).from_(table(cells))
    for function, alias in ((exp.Lag, "before"), (exp.Lead, "after")):
        query = query.select(named(over(function(this=at.copy()), keys, [ascending(at)]), alias), copy=False)
    for alias, kind in plan.totals.items():
        total = over(exp.Sum(this=exp.cast(column(alias), kind)), keys, [ascending(at)], growing=True)
        query = query.select(column(alias), named(exp.cast(total, kind), f"total_{alias}"), copy=False)
    for window, side, order in _sides(plan):
        anchors = {alias: on_side(side, alias, window) for alias in plan.anchors}
        for alias, value in plan.folds.items():
            fold = windowed(_on_anchors(value, anchors), _frame(plan, window, order))
            query = query.select(named(fold, on_side(side, alias, window)), copy=False)
        query = query.select(*map(column, anchors.values()), copy=False)
    return query


def _ordered(anchor: exp.Expr, order: exp.Expr) -> exp.Expr:
    """The anchor where ``ord`` is the order of its side."""
    return anchor.transform(lambda node: order.copy() if isinstance(node, exp.Column) and node.name == "ord" else node)


def _on_anchors(fold: exp.Expr, anchors: Mapping[str, str]) -> exp.Expr:
    """The fold with the anchors of its side."""
    return renamed(fold, lambda text: anchors.get(text, text))


def _frame(plan: WindowPlan, window: int, order: exp.Expr | None = None) -> Callable[[exp.AggFunc], exp.Expr]:
    """How an aggregate becomes one over a block, or over what of it comes first in an order."""
    if window == plan.cell_ms:
        return lambda node: node.this  # such a block is a cell, and needs no sorting
    block = [*plan.key_columns(), block_end(plan, column("at"), window)]
    if order is None:
        return lambda node: over(node, block)
    return lambda node: over(node, block, [ascending(order)], growing=True)


def _sides(plan: WindowPlan) -> Iterator[tuple[int, str, exp.Expr]]:
    """Each window and side that is folded, and the order in which. A window of one cell has no tail."""
    at = column("at")
    for window in plan.folded_windows:
        yield window, HEAD, at
        if window != plan.cell_ms:
            yield window, TAIL, exp.Neg(this=at)

"""From cells to instants: which cells a window holds at a grid time, and what it therefore is.

The cells of an entity enter a window one after another, and leave it in the same order, so that two of them say what is
in it: the newest cell that has entered and the oldest that has not left. Each cell stands once where it becomes the
newest, and once per window where it becomes the oldest; the last one also where nothing is left. A window of a single
cell holds the newest or nothing, so its cells stand where they leave it, and nobody need be told which is the oldest.

    roles     the cells in these roles, with the instant at which each takes it and the one at which another does
    spread    those that last until after a grid time, on it; all before the first grid time stand just before it
    filled    per instant the newest and the oldest as they are since then
    sides     one row per entity and grid time: the whole numbers, and the folds of head and tail
    merged    head and tail put together
    joined    what takes several of these
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlglot import exp

from asof.sql.expressions import (
    ascending,
    case,
    column,
    field_of,
    grid_ceil,
    is_null,
    named,
    number,
    over,
    parameter,
    row_of,
    table,
)
from asof.sql.window_aggregates import HEAD, TAIL, Running, on_side
from asof.sql.window_blocks import block_end
from asof.sql.window_plan import WindowPlan

_NEWEST: Final = "newest"
_Fields = Mapping[str, tuple[exp.Expr, exp.DataType]]


@dataclass(frozen=True, slots=True)
class _Role:
    """A cell's part from the instant ``since`` to ``until``: what it is known as, and what of it. NULL is for ever."""

    since: exp.Expr
    until: exp.Expr
    known_as: str | None = None
    fields: _Fields = field(default_factory=dict)
    only_last: bool = False


def instant_rows(plan: WindowPlan) -> Iterator[tuple[str, exp.Select]]:
    """The steps that begin with ``folded``, as ``(name, query)``; the last has what the features' values refer to."""
    yield "roles", _roles(plan)
    yield "spread", _spread(plan)
    yield "filled", _filled(plan)
    yield "sides", _sides(plan)
    if plan.merges:
        yield "merged", _named_beside(plan.merges, "sides")
    if plan.joins:
        yield "joined", _named_beside(plan.joins, "merged")


def _roles_of(plan: WindowPlan) -> list[_Role]:
    """Those of every cell first, then those of the last alone."""
    at, before, after = (column(each) for each in ("at", "before", "after"))
    every, last = [_Role(at, after, _NEWEST, _newest(plan))], []
    for window in plan.windows:
        left = at + window
        if window == plan.cell_ms:
            every.append(_Role(left, left + plan.view.step_ms))
        else:
            known_as = _oldest_of(window)
            every.append(_Role(before + window, left, known_as, _oldest(plan, window)))
            last.append(_Role(left, exp.null(), known_as, _nothing(plan, window), only_last=True))
    return [*every, *last]


def _roles(plan: WindowPlan) -> exp.Select:
    roles = _roles_of(plan)
    step_ms, offset_ms = plan.view.step_ms, plan.view.offset_ms
    before_all = grid_ceil(parameter("from_ms"), step_ms, offset_ms) - step_ms
    since, until = (_by_role(getattr(each, name) for each in roles) for name in ("since", "until"))
    clamped = exp.func("GREATEST", exp.func("COALESCE", since, before_all), before_all.copy())
    query = exp.select(exp.Star(), named(clamped, "since"), named(until, "until")).from_(table("folded"))
    listed = exp.values([(place,) for place in range(len(roles))], alias="roles", columns=["role"])
    everyones = sum(not each.only_last for each in roles)
    wanted = exp.or_(exp.LT(this=column("role"), expression=number(everyones)), is_null(column("after")))
    return query.join(listed, join_type="cross").where(wanted)


def _spread(plan: WindowPlan) -> exp.Select:
    pos, roles = grid_ceil(column("since"), plan.view.step_ms, plan.view.offset_ms), _roles_of(plan)
    query = exp.select(*plan.key_columns(), named(pos, "pos")).from_(table("roles"))
    for known_as in _known(plan):
        rows = (row_of(each.fields) if each.known_as == known_as else None for each in roles)
        query = query.select(named(_by_role(rows), known_as), copy=False)
    lasts = exp.or_(is_null(column("until")), column("until") > pos.copy())
    return query.where(lasts, pos.copy() < parameter("to_ms"))


def _by_role(values: Iterable[exp.Expr | None]) -> exp.Case:
    chosen = exp.Case(this=column("role"))
    for place, value in enumerate(values):
        chosen = chosen if value is None else chosen.when(number(place), value.copy())
    return chosen


def _known(plan: WindowPlan) -> list[str]:
    """What is known at an instant."""
    return [_NEWEST, *(_oldest_of(window) for window in plan.windows if window != plan.cell_ms)]


def _newest(plan: WindowPlan) -> _Fields:
    """The cell, its folds, and the totals of those that have entered; of a window of one cell, its own values."""
    fields: dict[str, tuple[exp.Expr, exp.DataType]] = {"at": (column("at"), _bigint())}
    for each in plan.running:
        entered = each.entering if each.window_ms == plan.cell_ms else f"total_{each.entering}"
        fields[_entered(plan, each)] = (column(entered), plan.totals[each.entering])
    heads = {on_side(HEAD, alias, w): kind for w in plan.folded_windows for alias, kind in plan.kinds.items()}
    return fields | {each: (column(each), kind) for each, kind in heads.items()}


def _entered(plan: WindowPlan, count: Running) -> str:
    return f"own_{count.entering}" if count.window_ms == plan.cell_ms else count.entering


def _oldest(plan: WindowPlan, window: int) -> _Fields:
    """The cell and its folds, and the totals of those that have left before it."""
    fields: dict[str, tuple[exp.Expr, exp.DataType]] = {"at": (column("at"), _bigint())}
    for each in _leaving(plan, window):
        left = exp.paren(column(f"total_{each.leaving}") - column(each.leaving))
        fields[each.leaving] = (left, plan.totals[each.leaving])
    return fields | {each: (column(each), kind) for each, kind in _tail(plan, window).items()}


def _nothing(plan: WindowPlan, window: int) -> _Fields:
    fields: dict[str, tuple[exp.Expr, exp.DataType]] = {"at": (exp.null(), _bigint())}
    for each in _leaving(plan, window):
        fields[each.leaving] = (column(f"total_{each.leaving}"), plan.totals[each.leaving])
    return fields | {each: (exp.null(), kind) for each, kind in _tail(plan, window).items()}


def _leaving(plan: WindowPlan, window: int) -> list[Running]:
    return [each for each in plan.running if each.window_ms == window]


def _tail(plan: WindowPlan, window: int) -> dict[str, exp.DataType]:
    if window not in plan.folded_windows or window == plan.cell_ms:
        return {}
    return {on_side(TAIL, alias, window): kind for alias, kind in plan.kinds.items()}


def _filled(plan: WindowPlan) -> exp.Select:
    keys, so_far = plan.key_columns(), [ascending(column("pos"))]
    query = exp.select(*keys, column("pos")).from_(table("spread"))
    query = query.select(named(over(exp.Lead(this=column("pos")), keys, so_far), "next_pos"))
    for each in _known(plan):
        known = exp.IgnoreNulls(this=exp.LastValue(this=column(each)))
        query = query.select(named(over(known, keys, [so_far[0].copy()], growing=True), each), copy=False)
    return query


def _sides(plan: WindowPlan) -> exp.Select:
    """All rows of an instant know the same; one of them is kept."""
    pos, following = column("pos"), column("next_pos")
    query = exp.select(*plan.key_columns(), pos).from_(table("filled"))
    for each in plan.running:
        query = query.select(named(exp.cast(_inside(plan, each), "bigint"), each.alias), copy=False)
    for window in plan.folded_windows:
        is_old = exp.LT(this=_block(plan, _oldest_of(window), window), expression=block_end(plan, pos, window))
        tail = _tail(plan, window)
        for alias, kind in plan.kinds.items():
            head, other = on_side(HEAD, alias, window), on_side(TAIL, alias, window)
            known = case(is_old, field_of(_oldest_of(window), other)) if other in tail else exp.cast(exp.null(), kind)
            query = query.select(
                named(case(_in_head(plan, window), field_of(_NEWEST, head)), head), named(known, other), copy=False
            )
    return query.where(
        exp.GTE(this=pos.copy(), expression=parameter("from_ms")),
        exp.or_(is_null(following), following > pos.copy()),
    )


def _inside(plan: WindowPlan, count: Running) -> exp.Expr:
    entered = field_of(_NEWEST, _entered(plan, count))
    if count.window_ms == plan.cell_ms:
        return case(_in_head(plan, count.window_ms), entered, number(0))
    return entered - field_of(_oldest_of(count.window_ms), count.leaving)


def _in_head(plan: WindowPlan, window: int) -> exp.Expr:
    """Whether the newest cell is in the block of the instant."""
    return exp.EQ(this=_block(plan, _NEWEST, window), expression=block_end(plan, column("pos"), window))


def _block(plan: WindowPlan, known_as: str, window: int) -> exp.Expr:
    return block_end(plan, field_of(known_as, "at"), window)


def _named_beside(values: Mapping[str, exp.Expr], step: str) -> exp.Select:
    return exp.select(exp.Star(), *(named(value, alias) for alias, value in values.items())).from_(table(step))


def _oldest_of(window: int) -> str:
    return f"oldest_{window}"


def _bigint() -> exp.DataType:
    return exp.DataType.build("bigint")

"""The rows of an aggregation view at the grid times of a run: one per entity and grid time at which one is due.

The way of the rows, each step a common table expression that is read once (Athena executes, and bills, one that is read
twice two times):

    rows       the source rows that exist for the run and that some window may hold
    events     their typed keys, times and inputs
    neighbours where distinct values are counted: the cells of each value's previous and next event
    cells      one row per entity and cell of time; no window's edge lies inside a cell
    folded ... what each cell knows of those before and after it, by ``window_blocks``
    roles ...  what a window holds at each grid time, by ``window_instants``

The work is n log n in events and rows, however they are spread over entities and time, and does not depend on the ratio
of window and step. Doubles are added, never subtracted, so a great value that has left a window leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.expressions import (
    ascending,
    column,
    from_ms,
    grid_ceil,
    later,
    named,
    over,
    parameter,
    sql_type,
    table,
    to_ms,
    typed,
)
from asof.sql.literals import default_literal
from asof.sql.source_rows import all_keys_present, created_ms, event_ms, rows_between, typed_keys
from asof.sql.window_blocks import folded_cells
from asof.sql.window_instants import instant_rows
from asof.sql.window_plan import WindowPlan, window_plan


def window_rows(view: FeatureView, entity: Entity, source: BatchSource) -> Iterator[tuple[str, exp.Select]]:
    """The steps, in order, as ``(name, query)``.

    The last has the inner keys, ``at`` (the grid time), ``served_ms`` (when serving could have returned the row) and
    ``f0, f1, ...`` (the features, of their declared types, in declared order).
    """
    plan = window_plan(view, entity, source)
    yield "rows", _rows(plan)
    yield "events", _events(plan)
    if plan.distinct:
        yield "neighbours", _neighbours(plan)
    yield "cells", _cells(plan, "neighbours" if plan.distinct else "events")
    yield from folded_cells(plan)
    last = ""
    for last, query in instant_rows(plan):
        yield last, query
    yield "computed", _computed(plan, last)


def _rows(plan: WindowPlan) -> exp.Select:
    """From the first event that leaves a window at the first grid time, to the last that enters one."""
    reach_ms = plan.view.step_ms + plan.windows[-1]
    query = rows_between(plan.view, plan.source, parameter("from_ms") - reach_ms, parameter("to_ms") - 1)
    return query.where(all_keys_present(plan.entity))


def _events(plan: WindowPlan) -> exp.Select:
    """Keys, ``e`` event ms, ``at`` the end of its cell, ``c`` created ms where there is one, ``x0, x1, ...`` inputs."""
    event = event_ms(plan.source)
    query = exp.select(*typed_keys(plan.entity), named(event, "e")).from_(table("rows"))
    query = query.select(named(grid_ceil(event, plan.cell_ms, plan.view.offset_ms), "at"))
    if plan.newest:
        query = query.select(named(created_ms(plan.source), "c"))
    for text, given in plan.inputs.items():
        value = column(text)
        inner = to_ms(value) if given.dtype == "Timestamp" else typed(value, given.dtype)
        query = query.select(named(inner, f"x{given.place}"))
    return query


def _neighbours(plan: WindowPlan) -> exp.Select:
    query = exp.select(exp.Star()).from_(table("events"))
    for given in plan.distinct:
        same_value = [*plan.key_columns(), given.x]
        for function, alias in ((exp.Lag, "before"), (exp.Lead, "after")):
            neighbour = over(function(this=column("at")), same_value, [ascending(column("at"))])
            query = query.select(named(neighbour, f"{alias}{given.place}"))
    return query


def _cells(plan: WindowPlan, events: str) -> exp.Select:
    query = exp.select(*plan.key_columns(), column("at")).from_(table(events))
    query = query.select(*(named(value, alias) for alias, value in plan.cells.items()))
    return query.group_by(*plan.key_columns(), column("at"))


def _computed(plan: WindowPlan, last: str) -> exp.Select:
    """Values of declared types; a value the windows do not give is the feature's default."""
    pos = column("pos")
    newest = later(pos, exp.func("COALESCE", plan.newest.value, pos)) if plan.newest else pos
    times = (named(pos, "at"), named(newest + plan.view.publish_delay_ms, "served_ms"))
    by_feature = {each.feature: one.value for each, one in zip(plan.view.aggregations, plan.aggregates, strict=True)}
    features = []
    for place, feature in enumerate(plan.view.features):
        value = by_feature[feature.name]
        value = from_ms(value) if feature.dtype == "Timestamp" else exp.cast(value, sql_type(feature.dtype))
        if feature.default is not None:
            value = exp.func("COALESCE", value, default_literal(feature.dtype, feature.default))
        features.append(named(value, f"f{place}"))
    return exp.select(*plan.key_columns(), *times, *features).from_(table(last))

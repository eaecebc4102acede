"""Which source rows exist for a run: filtered, known in time, and of an interval of event times."""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.expressions import (
    column,
    from_ms,
    grid_ceil,
    is_null,
    is_present,
    named,
    number,
    parameter,
    source_relation,
    to_ms,
    typed,
)


def source_columns(source: BatchSource) -> dict[str, str]:
    """Every column a source is read by and its type; those with a role need not have been declared."""
    columns = {each.name: each.dtype for each in source.columns}
    columns.setdefault(source.timestamp_field, "Timestamp")
    if source.created_timestamp_column:
        columns.setdefault(source.created_timestamp_column, "Timestamp")
    if source.date_partition_column:
        columns.setdefault(source.date_partition_column, "String")
    return columns


def rows_between(view: FeatureView, source: BatchSource, after_ms: exp.Expr, until_ms: exp.Expr) -> exp.Select:
    """The source's columns, as they are, of the rows with ``after_ms < event time <= until_ms`` that exist for the run.

    The bounds are compared with the bare column, so that Athena can skip files and row groups by them: flooring a time
    and comparing it with whole milliseconds is the same as comparing the time with the next millisecond.
    """
    event = column(source.timestamp_field)
    one = number(1)
    query = filtered(view, source).where(
        exp.GTE(this=event.copy(), expression=from_ms(after_ms + one)),
        exp.LT(this=event.copy(), expression=from_ms(until_ms + one)),
        exp.LT(this=event.copy(), expression=from_ms(parameter("known_ms") + one)),
    )
    if source.created_timestamp_column:
        created = column(source.created_timestamp_column)
        query = query.where(
            exp.or_(is_null(created), exp.LT(this=created, expression=from_ms(parameter("known_ms") + one)))
        )
    return query


def filtered(view: FeatureView, source: BatchSource) -> exp.Select:
    """The source's columns, as they are, of the rows of the pruned partitions that the view's ``where`` keeps."""
    query = exp.select(*(column(each) for each in source_columns(source))).from_(source_relation(source))
    if source.date_partition_column:
        dates = column(source.date_partition_column)
        query = query.where(
            exp.Between(this=dates, low=parameter("source_from_date"), high=parameter("source_to_date"))
        )
    if view.where:
        query = query.where(exp.paren(sqlglot.condition(view.where, dialect="athena")))
    return query


def work_interval(view: FeatureView) -> tuple[exp.Expr, exp.Expr]:
    """The event times ``(after, until]`` that enter at the run's grid times: ``(T - step, T]`` for each ``T``."""
    bounds = (grid_ceil(parameter(each), view.step_ms, view.offset_ms) for each in ("from_ms", "to_ms"))
    after, until = (each - view.step_ms for each in bounds)
    return after, until


def event_ms(source: BatchSource) -> exp.Expr:
    """The event time of a source row in milliseconds."""
    return to_ms(column(source.timestamp_field))


def created_ms(source: BatchSource) -> exp.Expr:
    """When a row of a source with a created column became known; where that is NULL, its event time."""
    return exp.func("COALESCE", to_ms(column(str(source.created_timestamp_column))), event_ms(source))


def any_key_null(entity: Entity) -> exp.Expr:
    """Whether a row lacks a key."""
    return exp.or_(*(is_null(column(key.name)) for key in entity.join_keys))


def all_keys_present(entity: Entity) -> exp.Expr:
    """Whether a row has all its keys."""
    return exp.and_(*(is_present(column(key.name)) for key in entity.join_keys))


def key_aliases(entity: Entity) -> list[str]:
    """What the keys are called inside a query: ``k0, k1, ...``, which collide with nothing."""
    return [f"k{i}" for i in range(len(entity.join_keys))]


def typed_keys(entity: Entity) -> Iterator[exp.Expr]:
    """The keys, cast to their declared types, under their inner names."""
    for key, alias in zip(entity.join_keys, key_aliases(entity), strict=True):
        yield named(typed(column(key.name), key.dtype), alias)

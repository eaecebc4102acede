"""The rows of a passthrough or SQL view: the source's rows of an interval, with their own event times."""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.differences import NEW, STORED, not_stored, values_differ, values_exceed
from asof.sql.expressions import (
    column,
    descending,
    differs,
    is_null,
    is_present,
    later,
    named,
    number,
    over,
    parameter,
    table,
    typed,
)
from asof.sql.source_rows import (
    all_keys_present,
    created_ms,
    event_ms,
    key_aliases,
    rows_between,
    typed_keys,
    work_interval,
)


def copied_rows(view: FeatureView, entity: Entity, source: BatchSource) -> Iterator[tuple[str, exp.Select]]:
    """The steps, in order, as ``(name, query)``.

    The last has the inner keys, ``e`` and ``c`` (event and created ms; now where the source has no created column),
    ``served_ms``, ``f0, f1, ...`` of their declared types, ``is_newest`` (1 for the newest row of its keys and event
    time) and one row per keys, event and created time: that of the greatest values. The SELECT of a SQL view sees the
    interval's rows, under the source's name, and no others.
    """
    rows = rows_between(view, source, *work_interval(view))
    yield "rows", _selected(view, source, rows) if view.kind == "sql" else rows
    yield "versions", _versions(view, entity, source)
    yield "computed", _computed(view, entity, source)


def _selected(view: FeatureView, source: BatchSource, rows: exp.Select) -> exp.Select:
    """The view's SELECT with the source's name bound to the rows, before any common table expressions of its own.

    The name is bound inside a subquery, where it can hide no other table of the run's query.
    """
    parsed = sqlglot.parse_one(str(view.sql), dialect="athena")
    bound = exp.CTE(this=rows, alias=exp.TableAlias(this=exp.to_identifier(source.name, quoted=True)))
    own = parsed.args.get("with_")
    parsed.set("with_", exp.With(expressions=[bound, *(own.expressions if own else ())]))
    return exp.select(exp.Star()).from_(exp.Subquery(this=parsed, alias=exp.TableAlias(this=exp.to_identifier("q"))))


def _versions(view: FeatureView, entity: Entity, source: BatchSource) -> exp.Select:
    created = created_ms(source) if source.created_timestamp_column else parameter("now_ms")
    query = exp.select(*typed_keys(entity), named(event_ms(source), "e"), named(created, "c")).from_(table("rows"))
    for place, feature in enumerate(view.features):
        query = query.select(named(typed(column(feature.name), feature.dtype), f"f{place}"))
    return query.where(all_keys_present(entity))


def _computed(view: FeatureView, entity: Entity, source: BatchSource) -> exp.Select:
    """One row per keys, event and created time. Both questions are asked of one order, so rows are sorted once."""
    partition: list[exp.Expr] = [*(column(each) for each in key_aliases(entity)), column("e")]

    def place(function: exp.Expr) -> exp.Expr:
        order = [*descending(column("c"), "Int64")]
        for i, feature in enumerate(view.features):
            order += descending(column(f"f{i}"), feature.dtype)
        return over(function, partition, order)

    features = [f"f{i}" for i in range(len(view.features))]
    ranked = exp.select(
        *(column(each) for each in (*key_aliases(entity), "e", "c", *features)),
        named(place(exp.RowNumber()), "place"),
        named(place(exp.Lag(this=column("c"))), "c_above"),
    ).from_(table("versions"))
    event, created = column("e"), column("c")
    known = later(event, created) if source.created_timestamp_column else event
    query = exp.select(
        *(column(each) for each in (*key_aliases(entity), "e", "c", *features)),
        named(known + view.publish_delay_ms, "served_ms"),
        named(
            exp.Case().when(exp.EQ(this=column("place"), expression=number(1)), number(1)).else_(number(0)), "is_newest"
        ),
    ).from_(exp.Subquery(this=ranked, alias=exp.TableAlias(this=exp.to_identifier("ranked"))))
    return query.where(differs(created, column("c_above")))


def emitted(view: FeatureView, source: BatchSource) -> tuple[exp.Expr, exp.Expr | None]:
    """Which computed rows go to the history, and which of those keep their created time though others are stored.

    - A row of keys and an event time that are not stored goes, and so does one created later than what is stored.
    - Else only the newest of the source's rows can tell something new; older ones are superseded. It corrects where
      its values differ, but where it ties with the stored row in created time as well, only if its values are greater,
      as if both had come together.
    """
    newest = exp.EQ(this=column("is_newest", NEW), expression=number(1))
    if source.created_timestamp_column is None:
        return exp.and_(newest, exp.or_(not_stored(), values_differ(view))), None
    created, stored_ms = column("c", NEW), column("created_ms", STORED)
    is_later = exp.or_(is_null(stored_ms), exp.GT(this=created, expression=stored_ms))
    ties = exp.and_(is_present(stored_ms), exp.EQ(this=created.copy(), expression=stored_ms.copy()))
    corrects = exp.or_(exp.and_(ties, values_exceed(view)), exp.and_(exp.not_(ties.copy()), values_differ(view)))
    return exp.or_(not_stored(), is_later, exp.and_(newest, corrects)), is_later.copy()

"""How many source rows a run could not use, how many came too late, and how new the newest is: one row."""

from __future__ import annotations

from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.expressions import case, later, named, number, parameter, table
from asof.sql.source_rows import any_key_null, created_ms, event_ms, filtered, work_interval


def counts(view: FeatureView, entity: Entity, source: BatchSource) -> exp.Select:
    """``null_keys``, ``too_late``, ``newest_ms``: what the run's interval holds, each 0 or NULL where there is none.

    ``null_keys`` are rows that would have entered at the run's grid times but lack a key. ``too_late`` are rows that
    became known at the run's on-time grid times, with an event time before everything the run computes anew (from
    ``:begin_ms`` on); without a created column they cannot be told, and the count is 0. ``newest_ms`` is the greatest
    event time, lacking a key or not: how new the source's data is. Rows in partitions before ``:source_from_date``
    are not read.
    """
    after, until = work_interval(view)
    event, known = event_ms(source), parameter("known_ms")
    arrived = [_within(event, after, until), exp.LTE(this=event.copy(), expression=known)]
    too_late: exp.Expr = exp.false()
    if source.created_timestamp_column:
        created = created_ms(source)
        arrived.append(exp.LTE(this=created, expression=known.copy()))
        on_time = parameter("on_time_ms") - view.step_ms
        late = exp.LTE(this=event.copy(), expression=parameter("begin_ms") - view.step_ms)
        too_late = exp.and_(_within(created.copy(), later(after.copy(), on_time), until), late)
    return (
        exp.select(
            named(exp.Count(this=case(exp.and_(*arrived, any_key_null(entity)), number(1))), "null_keys"),
            named(exp.Count(this=case(too_late, number(1))), "too_late"),
            named(exp.Max(this=case(exp.and_(*arrived), event)), "newest_ms"),
        )
        .from_(table("rows"))
        .with_(exp.to_identifier("rows", quoted=True), as_=filtered(view, source))
    )


def _within(value: exp.Expr, after: exp.Expr, until: exp.Expr) -> exp.Expr:
    return exp.and_(
        exp.GT(this=value.copy(), expression=after.copy()), exp.LTE(this=value.copy(), expression=until.copy())
    )

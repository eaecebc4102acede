"""Whether an attempt's rows, in the staging table, are fit to be seen."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from asof.manifest import Entity, FeatureView
from asof.sql.expressions import (
    ascending,
    case,
    column,
    is_null,
    named,
    number,
    over,
    parameter,
    staging_relation,
    table,
    to_ms,
)
from asof.sql.source_rows import any_key_null, work_interval

_TIMES = ("event_timestamp", "created_timestamp", "available_timestamp")
_MAX_FAILURES = 20
_PLACE = "#place"
"""A row's place among its twins; no key can be called so."""


def check(view: FeatureView, entity: Entity) -> exp.Select:
    """One row: ``rows``, and how many of them break each rule.

    ``null_keys`` lack a key; ``duplicates`` come after the first of their keys, event and created time;
    ``out_of_range`` are not of the interval; ``unavailable`` were not available at ``:now_ms``, or never.
    """
    broken = (named(exp.Count(this=case(rule, number(1))), alias) for alias, rule in _rules(view, entity).items())
    query = exp.select(named(exp.Count(this=exp.Star()), "rows"), *broken)
    return query.from_(table("attempt")).with_(exp.to_identifier("attempt", quoted=True), as_=_attempt(view, entity))


def check_failures(view: FeatureView, entity: Entity) -> exp.Select:
    """Up to 20 of the rows that break a rule: keys, times, and the ``reason``, the first rule each breaks."""
    rules = _rules(view, entity)
    reason = exp.Case()
    for alias, rule in rules.items():
        reason = reason.when(rule, exp.Literal.string(alias))
    columns = [*(key.name for key in entity.join_keys), *_TIMES]
    query = exp.select(*(column(each) for each in columns), named(reason, "reason")).from_(table("attempt"))
    query = query.with_(exp.to_identifier("attempt", quoted=True), as_=_attempt(view, entity))
    return (
        query.where(exp.or_(*rules.values()))
        .order_by(*(ascending(column(each)) for each in columns))
        .limit(_MAX_FAILURES)
    )


def _attempt(view: FeatureView, entity: Entity) -> exp.Select:
    keys = [column(key.name) for key in entity.join_keys]
    twins = [*keys, column("event_timestamp"), column("created_timestamp")]
    place = over(exp.RowNumber(), twins, [ascending(column("available_timestamp"))])
    query = exp.select(*keys, *(column(each) for each in _TIMES), named(place, _PLACE)).from_(staging_relation(view))
    return query.where(exp.EQ(this=column("run"), expression=parameter("run")))


def _rules(view: FeatureView, entity: Entity) -> Mapping[str, exp.Expr]:
    event, available = to_ms(column("event_timestamp")), column("available_timestamp")
    if view.kind == "aggregation":
        outside = exp.or_(
            exp.LT(this=event, expression=parameter("from_ms")),
            exp.GTE(this=event.copy(), expression=parameter("to_ms")),
        )
    else:
        after, until = work_interval(view)
        outside = exp.or_(exp.LTE(this=event, expression=after), exp.GT(this=event.copy(), expression=until))
    return {
        "null_keys": any_key_null(entity),
        "duplicates": exp.GT(this=column(_PLACE), expression=number(1)),
        "out_of_range": exp.or_(is_null(column("event_timestamp")), outside),
        "unavailable": exp.or_(is_null(available), exp.GT(this=to_ms(available), expression=parameter("now_ms"))),
    }

"""Only what differs from the history: computed rows against the newest stored row of the same keys and event time.

A run over data it has seen emits nothing, so a rerun or a backfill neither doubles rows nor forges later created times.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from asof.manifest import Entity, FeatureView
from asof.sql.expressions import (
    case,
    column,
    descending,
    differs,
    exceeds,
    from_ms,
    grid_ceil,
    history_relation,
    is_null,
    later,
    named,
    number,
    over,
    parameter,
    same,
    table,
    to_ms,
    utc_date_text,
)
from asof.sql.source_rows import key_aliases

NEW, STORED = "n", "s"
"""The aliases of a computed row and the stored row beside it."""

_ROUNDING = "1e-12"
"""Relative difference up to which two sums of the same doubles may differ by the order in which they were added."""


def stored(view: FeatureView, entity: Entity, after_ms: exp.Expr, until_ms: exp.Expr) -> exp.Select:
    """The history's newest row per keys and event time with ``after_ms < event time <= until_ms``.

    Columns: the inner keys, ``at`` event ms, ``created_ms``, ``f0, f1, ...``. The scan is pruned to
    ``:from_date .. :to_date``.
    """
    event = column("event_timestamp")
    keys = [column(key.name) for key in entity.join_keys]
    newest_first = [
        *descending(column("created_timestamp"), "Timestamp"),
        *(term for each in view.features for term in descending(column(each.name), each.dtype)),
    ]
    ranked = exp.select(
        *(named(key, alias) for key, alias in zip(keys, key_aliases(entity), strict=True)),
        named(to_ms(event), "at"),
        named(to_ms(column("created_timestamp")), "created_ms"),
        *(named(column(each.name), f"f{i}") for i, each in enumerate(view.features)),
        named(over(exp.RowNumber(), [*keys, event], newest_first), "place"),
    )
    ranked = ranked.from_(history_relation(view)).where(
        exp.Between(this=column("event_date"), low=parameter("from_date"), high=parameter("to_date")),
        exp.GTE(this=event.copy(), expression=from_ms(after_ms + 1)),
        exp.LT(this=event.copy(), expression=from_ms(until_ms + 1)),
    )
    plain = [*key_aliases(entity), "at", "created_ms", *_features(view)]
    newest = exp.select(*(column(each) for each in plain)).from_(exp.Subquery(this=ranked, alias=_alias("ranked")))
    return newest.where(exp.EQ(this=column("place"), expression=number(1)))


def changed(
    view: FeatureView, entity: Entity, *, event: str, created_ms: exp.Expr, emit: exp.Expr, as_it_is: exp.Expr | None
) -> exp.Select:
    """The rows of ``computed`` for which ``emit`` holds, with the times they get in the history.

    ``event`` names the column of the event ms. A row whose keys and event time are stored already is a correction: it
    is created later than the stored row, unless ``as_it_is`` says that its own ``created_ms`` is later. What corrects,
    or belongs to a grid time before ``:on_time_ms``, was not available before now.
    """
    now = parameter("now_ms")
    at, stored_ms, served = column(event, NEW), column("created_ms", STORED), column("served_ms", NEW)
    is_stored = exp.not_(is_null(column("at", STORED)))
    after_stored = later(now, exp.func("COALESCE", stored_ms + 1, now))
    corrects = exp.and_(is_stored, exp.not_(as_it_is)) if as_it_is is not None else is_stored
    grid_time = grid_ceil(at, view.step_ms, view.offset_ms)
    late = exp.or_(is_stored, exp.LT(this=grid_time, expression=parameter("on_time_ms")))
    same_row = [same_value(each) for each in key_aliases(entity)]
    return (
        exp.select(
            *(column(each, NEW) for each in key_aliases(entity)),
            named(at, "event_ms"),
            named(case(corrects, after_stored, created_ms), "created_ms"),
            named(case(late, later(served, now), served), "available_ms"),
            *(column(each, NEW) for each in _features(view)),
        )
        .from_(table("computed", NEW))
        .join(
            table("stored", STORED),
            on=exp.and_(*same_row, exp.EQ(this=at.copy(), expression=column("at", STORED))),
            join_type="left",
        )
        .where(emit)
    )


def same_value(alias: str) -> exp.Expr:
    """Equality of a column of the computed and the stored row; keys are never NULL."""
    return exp.EQ(this=column(alias, NEW), expression=column(alias, STORED))


def not_stored() -> exp.Expr:
    """Whether no row of the same keys and event time is stored."""
    return is_null(column("at", STORED))


def values_differ(view: FeatureView, rounded: Iterable[str] = ()) -> exp.Expr:
    """Whether any feature differs, null-safely. ``rounded`` names features made by adding doubles.

    Engines add in no fixed order, so such a feature may come out different in its last digits each time it is
    computed; only a difference beyond that is one.
    """
    rounded = set(rounded)
    return exp.or_(
        *(
            _beyond_rounding(column(f"f{i}", NEW), column(f"f{i}", STORED))
            if each.name in rounded
            else differs(column(f"f{i}", NEW), column(f"f{i}", STORED))
            for i, each in enumerate(view.features)
        )
    )


def _beyond_rounding(new: exp.Expr, old: exp.Expr) -> exp.Expr:
    # Both bounds are needed: with one alone, anything would be close to an infinity.
    distance, share = exp.Abs(this=new - old), exp.cast(exp.Literal.string(_ROUNDING), "double")
    close = exp.and_(
        *(exp.LTE(this=distance.copy(), expression=share * exp.Abs(this=each.copy())) for each in (new, old))
    )
    return exp.and_(differs(new, old), exp.not_(exp.func("COALESCE", close, exp.false())))


def values_exceed(view: FeatureView) -> exp.Expr:
    """Whether the computed features, in declared order, are greater than the stored ones; NULL lowest, NaN highest."""
    alternatives = []
    equal: list[exp.Expr] = []
    for i, each in enumerate(view.features):
        new, old = column(f"f{i}", NEW), column(f"f{i}", STORED)
        alternatives.append(exp.and_(*equal, exceeds(new, old, each.dtype)))
        equal.append(same(new, old))
    return exp.or_(*alternatives)


def history_rows(view: FeatureView, entity: Entity) -> exp.Select:
    """The rows of ``changed`` as the history spells them, sorted by keys and time; ``event_date`` stands last."""
    event = from_ms(column("event_ms"))
    times = {"event_timestamp": "event_ms", "created_timestamp": "created_ms", "available_timestamp": "available_ms"}
    query = exp.select(
        *(named(column(alias), key.name) for key, alias in zip(entity.join_keys, key_aliases(entity), strict=True)),
        *(named(from_ms(column(inner)), outer) for outer, inner in times.items()),
        *(named(column(f"f{i}"), each.name) for i, each in enumerate(view.features)),
        named(utc_date_text(event), "event_date"),
    )
    order = [*key_aliases(entity), "event_ms", "created_ms"]
    ordered = [exp.Ordered(this=column(each, "changed"), desc=False, nulls_first=False) for each in order]
    return query.from_(table("changed")).order_by(*ordered)


def _features(view: FeatureView) -> list[str]:
    return [f"f{i}" for i in range(len(view.features))]


def _alias(text: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(text, quoted=True))

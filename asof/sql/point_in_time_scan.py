"""Parts of a point-in-time join that its renderings share: the inner names of keys, and the pruned scans."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asof.clock import utc_date
from asof.manifest import Entity, FeatureView
from asof.sql.expressions import column, is_null, is_present, named, table
from asof.sql.literals import default_literal, timestamp_literal
from asof.sql.point_in_time_request import PointInTimeRequest, Relation, ViewRequest

_YEAR_1_MS = -62_135_596_800_000


def relation(source: Relation, alias: str) -> exp.Expr:
    """What stands in FROM for a table name or an expression."""
    return exp.alias_(table(source) if isinstance(source, str) else source.copy(), alias, table=True, quoted=True)


def default(view: ViewRequest, feature_name: str) -> exp.Expr | None:
    """The literal of a feature's declared default; None where that is NULL."""
    feature = view.view.feature(feature_name)
    return None if feature.default is None else default_literal(feature.dtype, feature.default)


def key_names(entity: Entity) -> tuple[str, ...]:
    """What an entity's keys are called inside the query: ``k0, k1, ...``, which collide with nothing."""
    return tuple(f"k{i}" for i in range(len(entity.join_keys)))


def keys(entity: Entity, alias: str) -> list[exp.Expr]:
    """An entity's keys as a select list's expressions, under their inner names."""
    return [
        named(column(key.name, alias), inner) for key, inner in zip(entity.join_keys, key_names(entity), strict=True)
    ]


def label(request: PointInTimeRequest, alias: str) -> exp.Expr:
    """An entity row's label, floored to a millisecond."""
    return exp.TimestampTrunc(this=column(request.label, alias), unit=exp.var("millisecond"))


def history(request: PointInTimeRequest, view: ViewRequest, *expressions: exp.Expr) -> exp.Select:
    """A scan, under the alias ``h``, of the view's rows that could be chosen for some entity row.

    Leaving out rows older than every label allows (ttl) is safe: a view's chosen row is its newest visible one, so
    where it is too old, all are.
    """
    query = exp.select(*expressions).from_(relation(view.relation, "h"))
    return query.where(*_could_be_chosen(request, view), copy=False)


def _could_be_chosen(request: PointInTimeRequest, view: ViewRequest) -> Iterator[exp.Expr]:
    for key in view.entity.join_keys:
        yield is_present(column(key.name, "h"))
    yield is_present(column("event_timestamp", "h"))
    if request.instant != "event_timestamp":
        yield is_present(column(request.instant, "h"))
    if request.known_as_of_ms is not None:
        created = column("created_timestamp", "h")
        known = exp.LTE(this=created, expression=timestamp_literal(request.known_as_of_ms))
        yield exp.or_(is_null(created), known)
    if request.label_bounds_ms is None:
        return
    first, last = request.label_bounds_ms
    yield exp.LTE(this=column(request.instant, "h"), expression=timestamp_literal(last))
    yield exp.LTE(this=column("event_date", "h"), expression=exp.Literal.string(utc_date(last)))
    oldest = _oldest(view.view, first)
    if oldest is not None:
        yield exp.GTE(this=column("event_timestamp", "h"), expression=timestamp_literal(oldest))
        yield exp.GTE(this=column("event_date", "h"), expression=exp.Literal.string(utc_date(oldest)))


def _oldest(view: FeatureView, first_label_ms: int) -> int | None:
    """The earliest event time that has not expired for the first label; None where nothing expires."""
    if view.expires_ms is None or first_label_ms - view.expires_ms < _YEAR_1_MS:
        return None
    return first_label_ms - view.expires_ms

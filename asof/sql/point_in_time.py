"""The point-in-time join, canonical: one pass per entity, O(n log n), valid on Athena engine v3 and on DuckDB.

Per entity, its entity rows and the feature rows of all its requested views stand in one *timeline*, ordered within
the keys by the instant at which each becomes visible, feature rows before the entity rows of the same instant. A view's
columns travel in one ROW, so that a NULL value stays a value. Each feature row has a *rank* within its keys and view:
its place by (event time, created time, values). The chosen row of an entity row is the one of the greatest rank so far;
ordering by visibility alone would let a late old row hide a newer one.

The greatest rank so far is found in two steps. Each entity row first gets the news: the greatest rank among the feature
rows since the entity row before it (its *bucket*). A running ``max_by`` over entity rows alone then does the rest, so
that wide ROWs are carried along no more rows than the answer has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp

from asof.manifest import Entity
from asof.sql.expressions import (
    ascending,
    case,
    column,
    descending,
    is_null,
    name,
    named,
    number,
    over,
    sql_type,
    table,
)
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import default, history, key_names, keys, label, relation

__all__ = ["PointInTimeRequest", "ViewRequest", "point_in_time"]


def point_in_time(request: PointInTimeRequest) -> exp.Select:
    """The join as one SELECT: one row per entity row, ordered by row id, columns as ``request.columns()`` lists.

    Render it with ``.sql(dialect="athena")`` or ``.sql(dialect="duckdb")``. It has no parameters.
    """
    rows = relation(request.entity_rows, "r")
    query = exp.select(*(named(column(each, "r"), each) for each in (request.row_id, *request.carry))).from_(rows)
    chosen: dict[str, str] = {}  # entity -> alias of its entity rows with the chosen ROWs
    for entity, views in request.by_entity():
        steps = [f"{entity.name}__{step}" for step in ("timeline", "placed", "news", "seen", "chosen")]
        timeline, placed, news, seen, last = steps
        queries = [
            _timeline(request, entity, views),
            _placed(entity, timeline),
            _news(entity, views, placed),
            _seen(entity, views, news),
            _chosen(views, seen),
        ]
        for step, each in zip(steps, queries, strict=True):
            query = query.with_(name(step), as_=each, copy=False)
        alias = chosen[entity.name] = f"c{len(chosen)}"
        same_row = exp.EQ(this=column("row_id", alias), expression=column(request.row_id, "r"))
        query = query.join(table(last, alias), on=same_row, join_type="left", copy=False)
    places: Counter[str] = Counter()
    for view in request.views:
        row = column(f"p{places[view.entity.name]}", chosen[view.entity.name])
        places[view.entity.name] += 1
        values = {feature.name: _field(row, f"f{i}") for i, feature in enumerate(view.declared())}
        query = query.select(*answered(view, values, event=_field(row, "e")), copy=False)
    return query.order_by(ascending(column(request.row_id, "r")), copy=False)


def _timeline(request: PointInTimeRequest, entity: Entity, views: tuple[ViewRequest, ...]) -> exp.Expr:
    """Entity rows and feature rows of one entity, each with its keys and the instant ``at`` which it counts.

    ``part`` is the view's place, for entity rows the number after the last. Entity rows have a ``row_id``; feature rows
    a ``rank`` and, of the ROWs ``p0, p1, ...``, the one of their view.
    """
    entity_rows = exp.select(
        *keys(entity, "r"),
        named(label(request, "r"), "at"),
        named(number(len(views)), "part"),
        named(column(request.row_id, "r"), "row_id"),
        named(exp.cast(exp.null(), exp.DataType.build("bigint")), "rank"),
        *(named(exp.cast(exp.null(), _payload_type(view)), f"p{i}") for i, view in enumerate(views)),
    ).from_(relation(request.entity_rows, "r"))
    feature_rows = [
        history(
            request,
            view,
            *keys(entity, "h"),
            named(column(request.instant, "h"), "at"),
            named(number(place), "part"),
            named(exp.null(), "row_id"),
            named(_rank(view), "rank"),
            *(named(_payload(view) if i == place else exp.null(), f"p{i}") for i in range(len(views))),
        )
        for place, view in enumerate(views)
    ]
    return exp.union(entity_rows, *feature_rows, distinct=False, copy=False)


def rank(view: ViewRequest, partition: Iterable[exp.Expr] = ()) -> exp.Expr:
    """A feature row's place, the chosen one's the greatest; equals differ in nothing that is asked for.

    Counted downwards from the greatest: ordered upwards with NULL first, Trino takes NaN for less than every number.
    """
    times = ("event_timestamp", "created_timestamp")
    kinds = [*((each, "Timestamp") for each in times), *((each.name, each.dtype) for each in view.declared())]
    order = [term for each, dtype in kinds for term in descending(column(each, "h"), dtype)]
    return exp.Neg(this=over(exp.RowNumber(), partition, order))


def _rank(view: ViewRequest) -> exp.Expr:
    """A feature row's place within its keys."""
    return rank(view, [column(key.name, "h") for key in view.entity.join_keys])


def _payload(view: ViewRequest) -> exp.Expr:
    values = [column(feature.name, "h") for feature in view.declared()]
    return exp.cast(exp.func("ROW", column("event_timestamp", "h"), *values), _payload_type(view))


def _payload_type(view: ViewRequest) -> exp.DataType:
    """``ROW(e, f0, f1, ...)``: event time and requested features in declared order."""
    kinds = [exp.DataType.build("timestamp"), *(sql_type(feature.dtype) for feature in view.declared())]
    names = ["e", *(f"f{i}" for i in range(len(kinds) - 1))]
    fields = [exp.ColumnDef(this=name(each), kind=kind) for each, kind in zip(names, kinds, strict=True)]
    return exp.DataType(this=exp.DataType.Type.STRUCT, nested=True, expressions=fields)


def _placed(entity: Entity, timeline: str) -> exp.Select:
    """The timeline with each row's ``bucket``: how many entity rows stand at or after it (0: nobody sees it)."""
    bucket = exp.Window(
        this=exp.Count(this=column("row_id", "t")),
        partition_by=[column(key, "t") for key in key_names(entity)],
        order=exp.Order(expressions=[_null_last(column(each, "t")) for each in ("at", "part")]),
        spec=so_far(),
    )
    return exp.select(exp.Star(), named(bucket, "bucket")).from_(relation(timeline, "t"))


def _news(entity: Entity, views: tuple[ViewRequest, ...], placed: str) -> exp.Select:
    """One row per bucket, that is per entity row: the greatest rank of each view in it, and the ROW of that rank."""
    bucket = [column(each, "t") for each in (*key_names(entity), "bucket")]
    query = exp.select(
        *bucket,
        named(exp.Max(this=column("row_id", "t")), "row_id"),
        named(exp.Max(this=_if_part("at", len(views))), "at"),
    ).from_(relation(placed, "t"))
    for place in range(len(views)):
        greatest = exp.ArgMax(this=column(f"p{place}", "t"), expression=_if_part("rank", place))
        its_rank = exp.Max(this=_if_part("rank", place))
        query = query.select(named(greatest, f"p{place}"), named(its_rank, f"rank{place}"), copy=False)
    seen = exp.GT(this=column("bucket", "t"), expression=number(0))
    return query.where(seen, copy=False).group_by(*(each.copy() for each in bucket), copy=False)


def _seen(entity: Entity, views: tuple[ViewRequest, ...], news: str) -> exp.Select:
    """The entity rows with the ROW of the greatest rank in their own bucket and all earlier ones, for each view."""
    best = []
    for place in range(len(views)):
        greatest = exp.Window(
            this=exp.ArgMax(this=column(f"p{place}", "t"), expression=column(f"rank{place}", "t")),
            partition_by=[column(key, "t") for key in key_names(entity)],
            order=exp.Order(expressions=[_null_last(column("bucket", "t"))]),
            spec=so_far(),
        )
        best.append(named(greatest, f"p{place}"))
    return exp.select(column("row_id", "t"), column("at", "t"), *best).from_(relation(news, "t"))


def _chosen(views: tuple[ViewRequest, ...], seen: str) -> exp.Select:
    """The same without the ROWs that have expired."""
    query = exp.select(column("row_id", "t")).from_(relation(seen, "t"))
    for place, view in enumerate(views):
        row = column(f"p{place}", "t")
        alive = unexpired(view, event=_field(row, "e"), at=column("at", "t"))
        query = query.select(named(case(alive, row) if alive else row, f"p{place}"), copy=False)
    return query


def _field(row: exp.Column, field: str) -> exp.Expr:
    return exp.Dot(this=row.copy(), expression=name(field))


def unexpired(view: ViewRequest, *, event: exp.Expr, at: exp.Expr) -> exp.Expr | None:
    """Whether a row of an event time is young enough at the label ``at``, the edge included; None if all are."""
    if view.view.expires_ms is None:
        return None
    age = exp.DateDiff(this=at, expression=event, unit=exp.var("millisecond"))
    return exp.LTE(this=age, expression=number(view.view.expires_ms))


def answered(view: ViewRequest, values: Mapping[str, exp.Expr], *, event: exp.Expr) -> Iterator[exp.Expr]:
    """A view's output columns, from its chosen row's ``values`` by feature name and its ``event`` time.

    Where all of them are NULL there is no row, and the default stands in. A NULL value of a row that is there stays.
    """
    if view.event_timestamp is not None:
        yield named(event.copy(), view.event_timestamp)
    for feature_name, output in view.features:
        value, fallback = values[feature_name], default(view, feature_name)
        yield named(value.copy() if fallback is None else case(is_null(event), fallback, value), output)


def _if_part(text: str, part: int) -> exp.Expr:
    return case(exp.EQ(this=column("part", "t"), expression=number(part)), column(text, "t"))


def so_far() -> exp.WindowSpec:
    """The frame of a running value: all rows up to the current one."""
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")


def _null_last(expression: exp.Expr) -> exp.Ordered:
    """Descending, NULL lowest: the reverse of ``ascending``."""
    return exp.Ordered(this=expression, desc=True, nulls_first=False)

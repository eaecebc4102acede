"""The point-in-time join, canonical: O(n log n) in entity rows, one pass of hashing over feature rows, on any engine.

1. Each feature row gets its *bucket*, the first label at which it is visible (``point_in_time_buckets``).
2. The *news* of a bucket is the newest of its feature rows by (event time, created time, values). Trino keeps one row
   per bucket while it reads: nothing is sorted that grows with the history.
3. Each entity row is given the news of its own and of all earlier buckets: a running ``max_by`` of their *rank*, the
   place among all news of its keys. Ordering by visibility alone would let a late old row hide a newer one.

From step 2 on there are no more rows than entity rows. A view's columns then travel in one ROW, so that a NULL value
stays a value. Each history is scanned once, for nothing but the columns asked for; of the entity rows, keys and labels
are read again for each view.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlglot import exp

from asof.manifest import Entity
from asof.sql import point_in_time_buckets as buckets
from asof.sql.expressions import (
    ascending,
    case,
    column,
    is_null,
    name,
    named,
    number,
    over,
    sql_type,
    table,
)
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import default, key_names, relation

__all__ = ["PointInTimeRequest", "ViewRequest", "point_in_time"]


def point_in_time(request: PointInTimeRequest) -> exp.Select:
    """The join as one SELECT: one row per entity row, ordered by row id, columns as ``request.columns()`` lists.

    Render it with ``.sql(dialect="athena")`` or ``.sql(dialect="duckdb")``. It has no parameters.
    """
    rows = relation(request.entity_rows, "r")
    query = exp.select(*(named(column(each, "r"), each) for each in (request.row_id, *request.carry))).from_(rows)
    chosen: dict[str, str] = {}  # entity -> alias of its entity rows with the chosen ROWs
    for entity, views in request.by_entity():
        steps = dict(_steps(request, entity, views))
        for step, each in steps.items():
            query = query.with_(name(step), as_=each, copy=False)
        alias = chosen[entity.name] = f"c{len(chosen)}"
        same_row = exp.EQ(this=column("row_id", alias), expression=column(request.row_id, "r"))
        query = query.join(table(list(steps)[-1], alias), on=same_row, join_type="left", copy=False)
    places: Counter[str] = Counter()
    for view in request.views:
        row = column(f"p{places[view.entity.name]}", chosen[view.entity.name])
        places[view.entity.name] += 1
        values = {feature.name: _field(row, f"f{i}") for i, feature in enumerate(view.declared())}
        query = query.select(*answered(view, values, event=_field(row, "e")), copy=False)
    return query.order_by(ascending(column(request.row_id, "r")), copy=False)


def _steps(
    request: PointInTimeRequest, entity: Entity, views: tuple[ViewRequest, ...]
) -> Iterator[tuple[str, exp.Select]]:
    """Named queries, each of which reads those before it; the last has a row per entity row that can see something."""
    labels, heads, pages = (f"{entity.name}__{step}" for step in ("labels", "heads", "pages"))
    yield labels, buckets.numbered(request, entity)
    yield heads, buckets.heads(entity, labels)
    yield pages, buckets.pages(entity, labels)
    ranked = []
    for place, view in enumerate(views):
        placed, news, its_rank = (f"{entity.name}__{step}{place}" for step in ("placed", "news", "ranked"))
        yield placed, buckets.placed(request, view, heads, pages)
        yield news, _news(view, placed)
        yield its_rank, _ranked(view, news)
        ranked.append(its_rank)
    seen = f"{entity.name}__seen"
    yield seen, _seen(entity, labels, ranked)
    yield f"{entity.name}__chosen", _chosen(views, seen)


def rank(view: ViewRequest) -> exp.Expr:
    """A feature row's place in a history, the chosen one's the greatest; equals differ in nothing that is asked for.

    Counted downwards from the greatest: upwards with NULL first, Trino takes NaN for less than every number.
    """
    return exp.Neg(this=over(exp.RowNumber(), [], _newest_first(buckets.columns(view).values())))


def _newest_first(columns: Iterable[str]) -> list[exp.Expr]:
    """ORDER BY terms; ``columns`` are what event time, created time and features of ``h`` are called.

    Downwards with NULL last, every engine takes NaN for the greatest number, in arrays too.
    """
    return [exp.Ordered(this=column(each, "h"), desc=True, nulls_first=False) for each in columns]


def _news(view: ViewRequest, placed: str) -> exp.Select:
    """The newest feature row of each bucket."""
    # Where a row number is compared with a constant like this, Trino keeps the first of each partition as it reads.
    bucket = [column(each, "h") for each in (*key_names(view.entity), "bucket")]
    place = over(exp.RowNumber(), bucket, _newest_first(buckets.columns(view)))
    rows = exp.select(exp.Star(), named(place, "place")).from_(table(placed, "h"))
    query = exp.select(exp.Star()).from_(exp.Subquery(this=rows, alias=exp.TableAlias(this=name("n"))))
    return query.where(exp.EQ(this=column("place", "n"), expression=number(1)), copy=False)


def _ranked(view: ViewRequest, news: str) -> exp.Select:
    """Keys and ``bucket`` of each news, its ``rank`` within its keys, and its columns as the ROW ``p``."""
    own = [column(key, "h") for key in key_names(view.entity)]
    place = over(exp.RowNumber(), own, _newest_first(buckets.columns(view)))
    values = [column(each, "h") for each in buckets.columns(view) if each != "c"]
    payload = exp.cast(exp.func("ROW", *values), _payload_type(view))
    wanted = [*own, column("bucket", "h"), named(exp.Neg(this=place), "rank"), named(payload, "p")]
    return exp.select(*wanted).from_(table(news, "h"))


def _payload_type(view: ViewRequest) -> exp.DataType:
    """``ROW(e, f0, f1, ...)``: event time and requested features in declared order."""
    kinds = [exp.DataType.build("timestamp"), *(sql_type(feature.dtype) for feature in view.declared())]
    names = ["e", *(f"f{i}" for i in range(len(kinds) - 1))]
    fields = [exp.ColumnDef(this=name(each), kind=kind) for each, kind in zip(names, kinds, strict=True)]
    return exp.DataType(this=exp.DataType.Type.STRUCT, nested=True, expressions=fields)


def _seen(entity: Entity, labels: str, ranked: Sequence[str]) -> exp.Select:
    """The entity rows with, of each view, the ROW of the greatest rank in their own bucket and all earlier ones."""
    query = exp.select(column("row_id", "l"), column("at", "l")).from_(table(labels, "l"))
    for place, news in enumerate(ranked):
        alias = f"n{place}"
        greatest = exp.Window(
            this=exp.ArgMax(this=column("p", alias), expression=column("rank", alias)),
            partition_by=[column(key, "l") for key in key_names(entity)],
            order=exp.Order(expressions=[exp.Ordered(this=column("i", "l"), desc=True, nulls_first=False)]),
            spec=_so_far(),
        )
        same = [exp.EQ(this=column(key, alias), expression=column(key, "l")) for key in key_names(entity)]
        same.append(exp.EQ(this=column("bucket", alias), expression=column("i", "l")))
        query = query.select(named(greatest, f"p{place}"), copy=False)
        query = query.join(table(news, alias), on=exp.and_(*same), join_type="left", copy=False)
    return query


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


def _so_far() -> exp.WindowSpec:
    """The frame of a running value: all rows up to the current one."""
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")

"""The point-in-time join as DuckDB does it best: keys and times first, the chosen rows' columns last.

1. Per view, the *newest* event time of each bucket. A feature row's bucket is the first label of its keys at which it
   is visible. The newest row of a label is the newest of its own and all earlier buckets, so it is among these, in
   whatever order rows became visible. Finding a row's bucket is a binary search in the sorted labels, which needs no
   sorting of feature rows; SQL has no words for it, so this step is not a query.
2. The *candidates*: all feature rows of those keys and event times, each with a ``rank``, its place by (event time,
   created time, values). Every chosen row is one of them, whatever comes late or ties.
3. Per entity, the greatest rank visible to each entity row, as in the canonical join but over the candidates' keys,
   times and ranks only. The greatest of a subset that holds the greatest of all is the greatest of all.
4. The columns of the chosen ranks.

So the wide columns of no more rows than that are ever held, and nothing is sorted that grows with the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from asof.manifest import Entity
from asof.sql.expressions import ascending, case, column, is_present, name, named, number, over, table
from asof.sql.point_in_time import answered, rank, so_far, unexpired
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import history, key_names, keys, label, relation

RANK = "#rank"
"""A candidate's rank. Inner columns of tables that also hold a user's begin with ``#``, which no name of theirs can."""


@dataclass(frozen=True, slots=True)
class Query:
    """A temporary table to make from a query. The tables in ``drops`` are not needed once it is there."""

    table: str
    query: exp.Query
    drops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Newest:
    """A temporary table of keys and ``e``, the newest event time of each bucket that has feature rows.

    ``labels`` is a table of the keys ``keys`` and ``at``; its rows are numbered by ``i``, from zero in the order of
    (keys, at), its keys by ``key``, from zero in the same order. ``rows`` gives the feature rows as ``key``,
    ``at_us`` and ``e_us``, the last two in microseconds since the epoch.
    """

    table: str
    labels: str
    keys: tuple[str, ...]
    rows: exp.Select


@dataclass(frozen=True, slots=True)
class NativePlan:
    """What answers a request: temporary tables in order, then the query that reads them."""

    steps: tuple[Query | Newest, ...]
    query: exp.Select


def point_in_time_native(request: PointInTimeRequest, prefix: str = "asof_pit") -> NativePlan:
    """The plan of a request, to be rendered for DuckDB. ``prefix`` begins the names of its temporary tables.

    The query's columns, rows and order are those of ``point_in_time``.
    """
    steps: list[Query | Newest] = []
    candidates = [f"{prefix}_{place}__candidates" for place in range(len(request.views))]
    ranks: dict[str, str] = {}
    for entity, _ in request.by_entity():
        labels, own = f"{prefix}_{entity.name}__labels", {}
        steps.append(Query(labels, _labels(request, entity)))
        for place, view in enumerate(request.views):
            if view.entity.name == entity.name:
                newest = f"{prefix}_{place}__newest"
                steps.append(Newest(newest, labels, key_names(entity), _narrow(request, view, labels)))
                steps.append(Query(candidates[place], _candidates(request, view, newest), drops=(newest,)))
                own[place] = candidates[place]
        ranks[entity.name] = f"{prefix}_{entity.name}__ranks"
        steps.append(Query(ranks[entity.name], _ranks(request, entity, own), drops=(labels,)))
    return NativePlan(tuple(steps), _fetched(request, ranks, candidates))


def _labels(request: PointInTimeRequest, entity: Entity) -> exp.Select:
    """The distinct keys and labels of one entity, numbered; rows with a NULL among them see nothing."""
    present = [is_present(column(each, "r")) for each in (*(key.name for key in entity.join_keys), request.label)]
    rows = exp.select(*keys(entity, "r"), named(label(request, "r"), "at")).distinct(copy=False)
    rows = rows.from_(relation(request.entity_rows, "r"), copy=False).where(*present, copy=False)
    own = [column(key, "d") for key in key_names(entity)]
    order = [ascending(each) for each in own]
    i = over(exp.RowNumber(), [], [*order, ascending(column("at", "d"))])
    key = over(exp.DenseRank(), [], [each.copy() for each in order])
    return exp.select(*own, column("at", "d"), named(i - 1, "i"), named(key - 1, "key")).from_(_derived(rows, "d"))


def _narrow(request: PointInTimeRequest, view: ViewRequest, labels: str) -> exp.Select:
    """The feature rows of keys that have labels: number of the keys, visible time and event time."""
    inner = key_names(view.entity)
    asked = exp.select(*(column(key, "l") for key in inner), column("key", "l")).distinct(copy=False)
    same = [
        exp.EQ(this=column(key.name, "h"), expression=column(each, "a"))
        for key, each in zip(view.entity.join_keys, inner, strict=True)
    ]
    times = {"at_us": request.instant, "e_us": "event_timestamp"}
    micros = [named(exp.func("EPOCH_US", column(each, "h")), alias) for alias, each in times.items()]
    rows = history(request, view, column("key", "a"), *micros)
    return rows.join(_derived(asked.from_(table(labels, "l")), "a"), on=exp.and_(*same), copy=False)


def _candidates(request: PointInTimeRequest, view: ViewRequest, newest: str) -> exp.Select:
    """The columns asked for of the rows with a newest event time, and their ranks."""
    columns = [
        *(key.name for key in view.entity.join_keys),
        *dict.fromkeys(("event_timestamp", "created_timestamp", request.instant)),
        *(feature.name for feature in view.declared()),
    ]
    same = [
        exp.EQ(this=column(key.name, "h"), expression=column(inner, "n"))
        for key, inner in zip(view.entity.join_keys, key_names(view.entity), strict=True)
    ]
    same.append(exp.EQ(this=column("event_timestamp", "h"), expression=column("e", "n")))
    rows = history(request, view, *(column(each, "h") for each in columns), named(rank(view), RANK))
    return rows.join(table(newest, "n"), on=exp.and_(*same), join_type="semi", copy=False)


def _ranks(request: PointInTimeRequest, entity: Entity, candidates: Mapping[int, str]) -> exp.Select:
    """Per entity row its ``row_id``, its label ``at`` and, as ``#0, #1, ...``, the ranks chosen of the views."""
    parts: list[exp.Select] = [
        exp.select(
            *keys(entity, "r"),
            named(label(request, "r"), "at"),
            named(number(len(request.views)), "part"),
            named(column(request.row_id, "r"), "row_id"),
            named(exp.cast(exp.null(), "bigint"), "rank"),
        ).from_(relation(request.entity_rows, "r"))
    ]
    for place, rows in candidates.items():
        times = [column(request.instant, "c"), number(place), exp.null(), column(RANK, "c")]
        parts.append(exp.select(*keys(entity, "c"), *times).from_(table(rows, "c")))
    timeline = exp.union(*parts, distinct=False, copy=False)
    order = [ascending(column(each, "t")) for each in ("at", "part")]
    greatest = [
        exp.Window(
            this=exp.Max(this=case(exp.EQ(this=column("part", "t"), expression=number(place)), column("rank", "t"))),
            partition_by=[column(key, "t") for key in key_names(entity)],
            order=exp.Order(expressions=[each.copy() for each in order]),
            spec=so_far(),
        )
        for place in candidates
    ]
    running = exp.select(
        *(column(each, "t") for each in ("row_id", "at", "part")),
        *(named(each, f"#{place}") for place, each in zip(candidates, greatest, strict=True)),
    ).from_(_derived(timeline, "t"))
    is_entity_row = exp.EQ(this=column("part", "p"), expression=number(len(request.views)))
    return (
        exp.select(*(column(each, "p") for each in ("row_id", "at", *(f"#{place}" for place in candidates))))
        .from_(_derived(running, "p"))
        .where(is_entity_row, copy=False)
    )


def _fetched(request: PointInTimeRequest, ranks: Mapping[str, str], candidates: Sequence[str]) -> exp.Select:
    """Entity rows with the columns of the chosen ranks, unless those have expired."""
    query = exp.select(*(named(column(each, "r"), each) for each in (request.row_id, *request.carry)))
    query = query.from_(relation(request.entity_rows, "r"), copy=False)
    for rows in ranks.values():
        same_row = exp.EQ(this=column("row_id", rows), expression=column(request.row_id, "r"))
        query = query.join(table(rows), on=same_row, join_type="left", copy=False)
    for place, (view, rows) in enumerate(zip(request.views, candidates, strict=True)):
        own = ranks[view.entity.name]
        event = column("event_timestamp", rows)
        same_rank = exp.EQ(this=column(RANK, rows), expression=column(f"#{place}", own))
        alive = unexpired(view, event=event, at=column("at", own))
        on = exp.and_(same_rank, alive) if alive else same_rank
        query = query.join(table(rows), on=on, join_type="left", copy=False)
        values = {feature.name: column(feature.name, rows) for feature in view.declared()}
        query = query.select(*answered(view, values, event=event), copy=False)
    return query.order_by(ascending(column(request.row_id, "r")), copy=False)


def _derived(query: exp.Query, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=name(alias)))

"""The point-in-time join as DuckDB does it best: two scans of a history, the wide one for the few rows that matter.

1. The distinct *labels* of each entity, sorted by keys and time, and numbered.
2. Per view, the event time that each label sees. A feature row's *bucket* is the first label of its keys at which it is
   visible; a label sees the newest event time of its own and all earlier buckets. Finding a bucket is a binary search
   in the sorted labels, which needs no sorting of feature rows; SQL has no words for it, so this is not a query. It
   reads keys and times only.
3. The rows that have the keys and the event time that some label sees, with the columns asked for. Where several rows
   have the same, a label's is the one of the greatest rank (created time, values) that is visible at it.
4. Entity rows with the rows of their labels, unless those have expired.

So nothing is sorted or held that grows with a history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from asof.manifest import Entity
from asof.sql.expressions import ascending, column, is_present, name, named, over, table
from asof.sql.point_in_time import answered, rank, unexpired
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import history, key_names, keys, label, relation

KEY, VISIBLE_US, EVENT_US = "#key", "#visible_us", "#event_us"
PAIR, ROW = "#pair", "#row"
"""Inner columns of tables that also hold a user's begin with ``#``, which no name of theirs can."""


@dataclass(frozen=True, slots=True)
class Labels:
    """A relation to make of an entity's distinct keys and labels, in that order.

    It has the keys under their inner names, the label ``at``, and numbers from zero: ``i`` of rows, ``key`` of keys.
    """

    table: str
    query: exp.Select


@dataclass(frozen=True, slots=True)
class Visible:
    """What the labels of one entity see of a view: the relations ``rows`` and ``seen``, to make.

    - ``times`` gives the feature rows that some label of their keys could see: ``KEY``, the number of their keys, and
      ``VISIBLE_US`` and ``EVENT_US``, when they became visible and their event time, in microseconds since the epoch.
      None became visible after the last label of its keys.
    - ``chosen`` is to have the keys and ``event`` times that some label sees, each once, with a number ``pair``.
    - ``fetch`` then gives ``rows``, which lack only ``ROW``, their number. They have their ``PAIR``.
    - ``seen`` is to have the ``row`` for each label ``i`` that sees one. Where several rows are of one pair, ``untied``
      gives it, once ``seen`` has the ``pair`` for each ``i``.
    """

    labels: str
    times: exp.Select
    chosen: str
    fetch: exp.Select
    rows: str
    seen: str
    untied: exp.Select


@dataclass(frozen=True, slots=True)
class NativePlan:
    """What answers a request: relations to make, and then the query that reads them."""

    labels: tuple[Labels, ...]
    views: tuple[Visible, ...]
    query: exp.Select


def point_in_time_native(request: PointInTimeRequest, prefix: str = "asof_pit") -> NativePlan:
    """The plan of a request, to be rendered for DuckDB. ``prefix`` begins the names of its relations.

    The query's columns, rows and order are those of ``point_in_time``.
    """
    tables = {entity.name: f"{prefix}_{entity.name}__labels" for entity, _ in request.by_entity()}
    labels = tuple(Labels(tables[entity.name], _labels(request, entity)) for entity, _ in request.by_entity())
    views = tuple(
        _visible(request, view, tables[view.entity.name], f"{prefix}_{place}")
        for place, view in enumerate(request.views)
    )
    return NativePlan(labels, views, _answered(request, tables, views))


def _labels(request: PointInTimeRequest, entity: Entity) -> exp.Select:
    """The distinct keys and labels of one entity, numbered; rows with a NULL among them see nothing."""
    present = [is_present(column(each, "r")) for each in (*(key.name for key in entity.join_keys), request.label)]
    rows = exp.select(*keys(entity, "r"), named(label(request, "r"), "at")).distinct(copy=False)
    rows = rows.from_(relation(request.entity_rows, "r"), copy=False).where(*present, copy=False)
    own = [column(key, "d") for key in key_names(entity)]
    order = [ascending(each) for each in own]
    i = over(exp.RowNumber(), [], [*order, ascending(column("at", "d"))])
    key = over(exp.DenseRank(), [], [each.copy() for each in order])
    numbered = exp.select(*own, column("at", "d"), named(i - 1, "i"), named(key - 1, "key"))
    return numbered.from_(_derived(rows, "d"), copy=False).order_by(ascending(column("i")), copy=False)


def _visible(request: PointInTimeRequest, view: ViewRequest, labels: str, prefix: str) -> Visible:
    chosen, rows, seen = (f"{prefix}__{each}" for each in ("chosen", "rows", "seen"))
    times, fetch = _times(request, view, labels), _fetch(request, view, chosen)
    return Visible(labels, times, chosen, fetch, rows, seen, _untied(request, view, labels, rows, seen))


def _times(request: PointInTimeRequest, view: ViewRequest, labels: str) -> exp.Select:
    """Number of the keys, visible time and event time of the feature rows that some label of their keys could see."""
    own = [column(each, "l") for each in (*key_names(view.entity), "key")]
    first, last = exp.Min(this=column("at", "l")), exp.Max(this=column("at", "l"))
    asked = exp.select(*own, named(first, "first"), named(last, "last")).from_(table(labels, "l"))
    asked = asked.group_by(*(each.copy() for each in own), copy=False)
    visible = exp.LTE(this=column(request.instant, "h"), expression=column("last", "a"))
    alive = unexpired(view, event=column("event_timestamp", "h"), at=column("first", "a"))
    times = {VISIBLE_US: request.instant, EVENT_US: "event_timestamp"}
    micros = [named(exp.func("EPOCH_US", column(each, "h")), alias) for alias, each in times.items()]
    rows = history(request, view, named(column("key", "a"), KEY), *micros)
    on = exp.and_(*_same_keys(view, "a"), visible, *([alive] if alive else []))
    return rows.join(_derived(asked, "a"), on=on, copy=False)


def _fetch(request: PointInTimeRequest, view: ViewRequest, chosen: str) -> exp.Select:
    """The feature rows of the chosen keys and event times: what says which is worth more, and what was asked for."""
    times = ("event_timestamp", "created_timestamp", request.instant)
    kept = dict.fromkeys((*times, *(each.name for each in view.declared())))
    rows = history(request, view, *(column(each, "h") for each in kept), named(column("pair", "c"), PAIR))
    same_event = exp.EQ(this=column("event_timestamp", "h"), expression=column("event", "c"))
    return rows.join(table(chosen, "c"), on=exp.and_(*_same_keys(view, "c"), same_event), copy=False)


def _same_keys(view: ViewRequest, alias: str) -> list[exp.Expr]:
    """That a feature row has the keys that another relation has under their inner names."""
    return [
        exp.EQ(this=column(key.name, "h"), expression=column(each, alias))
        for key, each in zip(view.entity.join_keys, key_names(view.entity), strict=True)
    ]


def _untied(request: PointInTimeRequest, view: ViewRequest, labels: str, rows: str, seen: str) -> exp.Select:
    """For each label ``i`` the ``row`` of the greatest rank that it can see, of the pair that it sees."""
    ranked = exp.select(
        *(column(each, "h") for each in (PAIR, ROW, request.instant)), named(rank(view), "#rank")
    ).from_(table(rows, "h"))
    greatest = exp.ArgMax(this=column(ROW, "c"), expression=column("#rank", "c"))
    same_label = exp.EQ(this=column("i", "l"), expression=column("i", "s"))
    same_pair = exp.EQ(this=column(PAIR, "c"), expression=column("pair", "s"))
    visible = exp.LTE(this=column(request.instant, "c"), expression=column("at", "l"))
    query = exp.select(column("i", "s"), named(greatest, "row")).from_(table(seen, "s"))
    query = query.join(table(labels, "l"), on=same_label, copy=False)
    query = query.join(_derived(ranked, "c"), on=exp.and_(same_pair, visible), copy=False)
    return query.group_by(column("i", "s"), copy=False)


def _answered(request: PointInTimeRequest, labels: Mapping[str, str], views: Sequence[Visible]) -> exp.Select:
    """Entity rows with the columns of the rows that their labels see, unless those have expired."""
    query = exp.select(*(named(column(each, "r"), each) for each in (request.row_id, *request.carry)))
    query = query.from_(relation(request.entity_rows, "r"), copy=False)
    for entity, _ in request.by_entity():
        own = labels[entity.name]
        same = [
            exp.EQ(this=column(key.name, "r"), expression=column(each, own))
            for key, each in zip(entity.join_keys, key_names(entity), strict=True)
        ]
        same.append(exp.EQ(this=label(request, "r"), expression=column("at", own)))
        query = query.join(table(own), on=exp.and_(*same), join_type="left", copy=False)
    for view, visible in zip(request.views, views, strict=True):
        same_label = exp.EQ(this=column("i", visible.seen), expression=column("i", visible.labels))
        query = query.join(table(visible.seen), on=same_label, join_type="left", copy=False)
        event = column("event_timestamp", visible.rows)
        same_row = exp.EQ(this=column(ROW, visible.rows), expression=column("row", visible.seen))
        alive = unexpired(view, event=event, at=column("at", visible.labels))
        on = exp.and_(same_row, alive) if alive else same_row
        query = query.join(table(visible.rows), on=on, join_type="left", copy=False)
        values = {feature.name: column(feature.name, visible.rows) for feature in view.declared()}
        query = query.select(*answered(view, values, event=event), copy=False)
    return query.order_by(ascending(column(request.row_id, "r")), copy=False)


def _derived(query: exp.Query, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=name(alias)))

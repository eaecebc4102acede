"""The point-in-time join as DuckDB does it best: one pass over the history, which keeps few rows of it.

1. Per view, the *candidates*: of each bucket, the feature rows of its newest event time. A feature row's bucket is the
   first label of its keys at which it is visible. The newest row of a label is the newest of its own and all earlier
   buckets, so it is among these, in whatever order rows became visible. Finding a row's bucket is a binary search in
   the sorted labels, which needs no sorting of feature rows; SQL has no words for it, so this step is not a query.
2. Each candidate's ``rank``, its place by (event time, created time, values), whatever ties.
3. Per entity, the greatest rank visible to each entity row, as in the canonical join but over the candidates' keys,
   times and ranks only. The greatest of a subset that holds the greatest of all is the greatest of all.
4. The columns of the chosen ranks.

So the history is read once, no more of its rows are held than a batch and about twice the candidates, and nothing is
sorted that grows with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from asof.manifest import Entity
from asof.sql.expressions import ascending, case, column, descending, is_present, name, named, number, over, table
from asof.sql.point_in_time import answered, rank, so_far, unexpired
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import history, key_names, keys, label, relation

RANK = "#rank"
"""A candidate's rank. Inner columns of tables that also hold a user's begin with ``#``, which no name of theirs can."""

KEY, VISIBLE_US, EVENT_US = "#key", "#visible_us", "#event_us"


@dataclass(frozen=True, slots=True)
class Query:
    """A temporary table to make from a query. The tables in ``drops`` are not needed once it is there."""

    table: str
    query: exp.Query
    drops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """A temporary table to make from the feature rows that are the newest of their buckets.

    ``labels`` is a table whose rows are numbered by ``i``, from zero in the order of (keys, ``at``), and its keys by
    ``key``, from zero in the same order. ``rows`` gives the feature rows: ``KEY``, the number of their keys,
    ``VISIBLE_US`` and ``EVENT_US``, when they became visible and their event time in microseconds since the epoch, and
    then ``columns``. ``ranked`` makes the table from those, once they stand in a relation ``newest``.
    """

    table: str
    labels: str
    rows: exp.Select
    newest: str
    view: ViewRequest
    columns: tuple[str, ...]

    def ranked(self, *, tied: bool) -> exp.Select:
        """The columns with their ``RANK``. Where none are ``tied``, by keys and event time, the event time decides."""
        by_event = exp.Neg(this=over(exp.RowNumber(), [], descending(column("event_timestamp", "h"), "Timestamp")))
        columns = [column(each, "h") for each in self.columns]
        return exp.select(*columns, named(rank(self.view) if tied else by_event, RANK)).from_(table(self.newest, "h"))


@dataclass(frozen=True, slots=True)
class NativePlan:
    """What answers a request: temporary tables in order, then the query that reads them."""

    steps: tuple[Query | Candidates, ...]
    query: exp.Select


def point_in_time_native(request: PointInTimeRequest, prefix: str = "asof_pit") -> NativePlan:
    """The plan of a request, to be rendered for DuckDB. ``prefix`` begins the names of its temporary tables.

    The query's columns, rows and order are those of ``point_in_time``.
    """
    steps: list[Query | Candidates] = []
    candidates = [f"{prefix}_{place}__candidates" for place in range(len(request.views))]
    ranks: dict[str, str] = {}
    for entity, _ in request.by_entity():
        labels, own = f"{prefix}_{entity.name}__labels", {}
        steps.append(Query(labels, _labels(request, entity)))
        for place, view in enumerate(request.views):
            if view.entity.name == entity.name:
                newest = f"{prefix}_{place}__newest"
                rows = _rows(request, view, labels)
                steps.append(Candidates(candidates[place], labels, rows, newest, view, _kept(request, view)))
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


def _rows(request: PointInTimeRequest, view: ViewRequest, labels: str) -> exp.Select:
    """The feature rows of keys that have labels: number of the keys, visible time, event time, and what to keep."""
    inner = key_names(view.entity)
    asked = exp.select(*(column(key, "l") for key in inner), column("key", "l")).distinct(copy=False)
    same = [
        exp.EQ(this=column(key.name, "h"), expression=column(each, "a"))
        for key, each in zip(view.entity.join_keys, inner, strict=True)
    ]
    times = {VISIBLE_US: request.instant, EVENT_US: "event_timestamp"}
    micros = [named(exp.func("EPOCH_US", column(each, "h")), alias) for alias, each in times.items()]
    rows = history(
        request, view, named(column("key", "a"), KEY), *micros, *(column(each, "h") for each in _kept(request, view))
    )
    return rows.join(_derived(asked.from_(table(labels, "l")), "a"), on=exp.and_(*same), copy=False)


def _kept(request: PointInTimeRequest, view: ViewRequest) -> tuple[str, ...]:
    """The columns of a feature row that say what it is worth, and those asked for."""
    keys_of = (key.name for key in view.entity.join_keys)
    times = ("event_timestamp", "created_timestamp", request.instant)
    return tuple(dict.fromkeys((*keys_of, *times, *(each.name for each in view.declared()))))


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

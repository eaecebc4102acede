"""Each feature row's *bucket*: the first label of its keys at which it is visible, found without sorting feature rows.

The entity rows of the same keys are numbered from the newest label down, from zero; a feature row's bucket is the
greatest number whose label is at or after the instant at which the row becomes visible. All rows of a bucket are seen
by the same entity rows, and so only the newest of them can be chosen.

The n labels of the same keys stand in *pages* of sqrt(n). A feature row finds its page by counting in the array of the
pages' first labels, the *heads*, and its bucket by counting in the page's own array: hash joins on the keys, and no
more than two arrays of sqrt(n) instants to carry along, however the labels lie. Rows of keys that nobody asked for, and
those that become visible after the last label, join nothing and are gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asof.manifest import Entity
from asof.sql.expressions import column, is_present, name, named, number, over, table
from asof.sql.point_in_time_request import PointInTimeRequest, ViewRequest
from asof.sql.point_in_time_scan import history, key_names, keys, label, relation


def numbered(request: PointInTimeRequest, entity: Entity) -> exp.Select:
    """Entity rows that can see something: keys, ``row_id``, label ``at``, number ``i``, and ``size`` of their pages."""
    present = [is_present(column(each, "r")) for each in (*(key.name for key in entity.join_keys), request.label)]
    own = [column(key.name, "r") for key in entity.join_keys]
    newest_first = exp.Ordered(this=label(request, "r"), desc=True, nulls_first=False)
    root = exp.Ceil(this=exp.Sqrt(this=over(exp.Count(this=exp.Star()), own)))
    return (
        exp.select(
            *keys(entity, "r"),
            named(column(request.row_id, "r"), "row_id"),
            named(label(request, "r"), "at"),
            named(over(exp.RowNumber(), own, [newest_first]) - 1, "i"),
            named(exp.cast(root, "bigint"), "size"),
        )
        .from_(relation(request.entity_rows, "r"))
        .where(*present, copy=False)
    )


def heads(entity: Entity, labels: str) -> exp.Select:
    """Per keys, the first label of each page, and the pages' ``size``. ``labels`` is what ``numbered`` gives."""
    own = [column(key, "l") for key in key_names(entity)]
    firsts = exp.ArrayAgg(this=column("at", "l"))
    query = exp.select(*own, named(firsts, "labels"), named(exp.Max(this=column("size", "l")), "size"))
    first = exp.EQ(this=_place_in_page(), expression=number(0))
    return query.from_(table(labels, "l")).where(first, copy=False).group_by(*_copies(own), copy=False)


def pages(entity: Entity, labels: str) -> exp.Select:
    """Per keys and page, all its labels; a page is known by the number of its first, ``start``."""
    own = [column(key, "l") for key in key_names(entity)]
    start = column("i", "l") - _place_in_page()
    query = exp.select(*own, named(start, "start"), named(exp.ArrayAgg(this=column("at", "l")), "labels"))
    return query.from_(table(labels, "l")).group_by(*_copies([*own, start]), copy=False)


def placed(request: PointInTimeRequest, view: ViewRequest, heads: str, pages: str) -> exp.Select:
    """The view's rows that some entity row sees: their keys, ``bucket``, and ``columns`` by their inner names."""
    page = (_labels_that_see(request, "a") - 1) * column("size", "a")
    same_page = exp.EQ(this=column("start", "p"), expression=page)
    scan = history(
        request,
        view,
        *keys(view.entity, "h"),
        named(column("start", "p") + _labels_that_see(request, "p") - 1, "bucket"),
        *(named(column(each, "h"), inner) for inner, each in columns(view).items()),
    )
    scan = scan.join(table(heads, "a"), on=_same_keys(view.entity, "a"), copy=False)
    return scan.join(table(pages, "p"), on=exp.and_(_same_keys(view.entity, "p"), same_page), copy=False)


def columns(view: ViewRequest) -> dict[str, str]:
    """What is read of a history beside keys, by its name inside the query, which collides with nothing."""
    features = {f"f{i}": feature.name for i, feature in enumerate(view.declared())}
    return {"e": "event_timestamp", "c": "created_timestamp", **features}


def _labels_that_see(request: PointInTimeRequest, alias: str) -> exp.Expr:
    """How many of the labels in the array of ``alias`` are at or after the moment a feature row becomes visible."""
    sees = exp.GTE(this=column("l"), expression=column(request.instant, "h"))
    seeing = exp.ArrayFilter(this=column("labels", alias), expression=exp.Lambda(this=sees, expressions=[name("l")]))
    return exp.ArraySize(this=seeing)


def _same_keys(entity: Entity, alias: str) -> exp.Expr:
    return exp.and_(
        *(
            exp.EQ(this=column(key.name, "h"), expression=column(inner, alias))
            for key, inner in zip(entity.join_keys, key_names(entity), strict=True)
        )
    )


def _place_in_page() -> exp.Expr:
    return column("i", "l") % column("size", "l")


def _copies(expressions: Sequence[exp.Expr]) -> list[exp.Expr]:
    return [each.copy() for each in expressions]

"""Rewriting partitions of the history: their rows, and whether what was written holds exactly them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asof.manifest import Entity, FeatureView
from asof.sql.expressions import (
    ascending,
    case,
    column,
    history_relation,
    named,
    number,
    over,
    staging_relation,
    table,
)

_TIMES = ("event_timestamp", "created_timestamp", "available_timestamp")
_PLACE = "#place"  # no column of a user's begins with #


def compacted(view: FeatureView, entity: Entity, dates: Sequence[str], runs: Sequence[str]) -> exp.Select:
    """The rows that some runs wrote for some event dates, each once, sorted; ``event_date`` stands last.

    A partition that was registered twice under two names would otherwise leave its rows twice for good.
    """
    columns = _columns(view, entity)
    place = over(exp.RowNumber(), [column(each) for each in columns], [ascending(column("run"))])
    ranked = exp.select(*(column(each) for each in columns), named(place, _PLACE)).from_(history_relation(view))
    query = exp.select(*(column(each) for each in columns)).from_(
        exp.Subquery(
            this=ranked.where(*_partitions(dates, runs)), alias=exp.TableAlias(this=exp.to_identifier("ranked"))
        )
    )
    keys = [key.name for key in entity.join_keys]
    return query.where(exp.EQ(this=column(_PLACE), expression=number(1))).order_by(
        *(ascending(column(each)) for each in (*keys, *_TIMES))
    )


def compaction_check(
    view: FeatureView, entity: Entity, dates: Sequence[str], runs: Sequence[str], attempt: str
) -> exp.Select:
    """One row: the ``rows`` of an attempt in the staging table, and how it differs from what it is to replace.

    ``lost`` rows are not in it, ``added`` ones were not there before, ``repeated`` ones are in it more than once. All
    columns are compared, null-safely. Each table is read once.
    """
    columns = _columns(view, entity)
    before = exp.select(*(column(each) for each in columns), named(number(0), "#is_new")).from_(history_relation(view))
    after = exp.select(*(column(each) for each in columns), named(number(1), "#is_new")).from_(staging_relation(view))
    both = exp.union(
        before.where(*_partitions(dates, runs)),
        after.where(exp.EQ(this=column("run"), expression=exp.Literal.string(attempt))),
        distinct=False,
    )
    rows = exp.select(
        *(column(each) for each in columns),
        named(exp.Min(this=column("#is_new")), "#first"),
        named(exp.Sum(this=column("#is_new")), "#times"),
    ).from_(exp.Subquery(this=both, alias=exp.TableAlias(this=exp.to_identifier("both"))))
    rows = rows.group_by(*(column(each) for each in columns))
    broken = {
        "lost": exp.EQ(this=column("#times"), expression=number(0)),
        "added": exp.EQ(this=column("#first"), expression=number(1)),
        "repeated": exp.GT(this=column("#times"), expression=number(1)),
    }
    total = exp.func("COALESCE", exp.Sum(this=column("#times")), number(0))
    return (
        exp.select(
            named(total, "rows"),
            *(named(exp.Count(this=case(rule, number(1))), alias) for alias, rule in broken.items()),
        )
        .from_(table("compared"))
        .with_(exp.to_identifier("compared", quoted=True), as_=rows)
    )


def _columns(view: FeatureView, entity: Entity) -> list[str]:
    return [*(key.name for key in entity.join_keys), *_TIMES, *(each.name for each in view.features), "event_date"]


def _partitions(dates: Sequence[str], runs: Sequence[str]) -> tuple[exp.Expr, ...]:
    """The list says which; the bounds, which every engine can prune by, say it once more."""
    text = exp.Literal.string
    return (
        exp.Between(this=column("event_date"), low=text(min(dates)), high=text(max(dates))),
        exp.In(this=column("event_date"), expressions=[text(each) for each in dates]),
        exp.In(this=column("run"), expressions=[text(each) for each in runs]),
    )

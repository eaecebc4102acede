"""Every question a run asks of one view, as expressions and as the text the manifest holds."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.check import check, check_failures
from asof.sql.compute_rows import copied_rows, emitted
from asof.sql.compute_windows import window_rows
from asof.sql.counts import counts
from asof.sql.dialects import render
from asof.sql.differences import changed, history_rows, not_stored, stored, values_differ
from asof.sql.expressions import column, parameter
from asof.sql.latest import latest
from asof.sql.quarantine import quarantine
from asof.sql.source_rows import source_columns, work_interval


def render_queries(view: FeatureView, entity: Entity, source: BatchSource, dialect: str = "athena") -> dict[str, str]:
    """The text of each question in a dialect, by its name, with ``:name`` parameters."""
    return {each: render(query, dialect) for each, query in expressions(view, entity, source).items()}


def expressions(view: FeatureView, entity: Entity, source: BatchSource) -> dict[str, exp.Expr]:
    """The expression of each question, by its name: compute, counts, quarantine, check, check_failures, latest."""
    return {
        "compute": compute(view, entity, source),
        "counts": counts(view, entity, source),
        "quarantine": quarantine(view, entity, source),
        "check": check(view, entity),
        "check_failures": check_failures(view, entity),
        "latest": latest(view, entity),
    }


def compute(view: FeatureView, entity: Entity, source: BatchSource) -> exp.Select:
    """The rows of a run's interval that differ from the history, with the history's columns and ``event_date`` last."""
    if view.kind == "aggregation":
        steps = list(window_rows(view, entity, source))
        steps.append(("stored", stored(view, entity, parameter("from_ms") - 1, parameter("to_ms") - 1)))
        differ = exp.or_(not_stored(), values_differ(view, _rounded(view, source)))
        now = parameter("now_ms")
        steps.append(("changed", changed(view, entity, event="at", created_ms=now, emit=differ, as_it_is=None)))
    else:
        steps = list(copied_rows(view, entity, source))
        steps.append(("stored", stored(view, entity, *work_interval(view))))
        emit, as_it_is = emitted(view, source)
        created = column("c", "n")
        steps.append(("changed", changed(view, entity, event="e", created_ms=created, emit=emit, as_it_is=as_it_is)))
    return _with(history_rows(view, entity), steps)


def _rounded(view: FeatureView, source: BatchSource) -> Iterable[str]:
    """The features whose value depends, in its last digits, on the order in which doubles are added."""
    types = source_columns(source)
    for each in view.aggregations:
        in_doubles = each.column is not None and types[each.column] == "Float64"
        if each.function == "stddev" or (each.function in ("sum", "mean") and in_doubles):
            yield each.feature


def _with(query: exp.Select, steps: Iterable[tuple[str, exp.Select]]) -> exp.Select:
    for text, step in steps:
        query = query.with_(exp.to_identifier(text, quoted=True), as_=step, copy=False)
    return query

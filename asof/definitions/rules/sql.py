"""Rules about the SQL in feature views."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asof.definitions.base import Wrong
from asof.definitions.collection import Definitions
from asof.definitions.feature_view import FeatureView
from asof.definitions.sql_text import (
    canonical,
    columns_of,
    condition_wrongs,
    nearest,
    outputs,
    parse_condition,
    parse_select,
    select_wrongs,
)
from asof.errors import Problem


def filters(definitions: Definitions) -> Iterator[Problem]:
    """``where`` is one boolean expression over known columns, judged row by row."""
    for view in definitions.feature_views:
        if view.source_is_known and view.where is not None:
            for wrong in _filter_wrongs(view, view.where):
                yield view.problem(f"view {view.name!r}: {wrong.what}", wrong.fix)


def selects(definitions: Definitions) -> Iterator[Problem]:
    """``sql`` is one SELECT over the source, row by row, that gives the keys, the time columns and the features."""
    for view in definitions.feature_views:
        if view.source_is_known and view.kind == "sql":
            for wrong in _select_wrongs(view, view.sql or ""):
                yield view.problem(f"view {view.name!r}: {wrong.what}", wrong.fix)


def _filter_wrongs(view: FeatureView, where: str) -> Iterator[Wrong]:
    try:
        condition = parse_condition(where)
    except Wrong as wrong:
        yield wrong
        return
    booleans = [name for name, value_type in view.source.columns().items() if str(value_type) == "Bool"]
    yield from condition_wrongs(condition, booleans)
    yield from _unknown_columns(view, condition, "where")


def _select_wrongs(view: FeatureView, sql: str) -> Iterator[Wrong]:
    try:
        select = parse_select(sql)
    except Wrong as wrong:
        yield wrong
        return
    yield from select_wrongs(select, view.source.name)
    yield from _unknown_columns(view, select, "sql")
    given, wrongs = outputs(select)
    yield from wrongs
    if wrongs or not view.entity.complete:
        return
    needed = _required_outputs(view)
    for name, why in needed.items():
        if name not in given:
            yield Wrong(f"sql does not give column {name!r}, {why}", nearest(name, given))
    for name in given:
        if name not in needed:
            yield Wrong(f"sql gives column {name!r}, which is not a feature", "declare it in schema, or leave it out")
    for each in select.expressions:
        # A run asks for the source rows of an interval: rows whose times the SELECT moved would fall outside it.
        inner = each.unalias()
        passed = isinstance(inner, exp.Column) and inner.name == each.alias_or_name
        if each.alias_or_name in _times(view) and not passed:
            yield Wrong(
                f"sql gives another {each.alias_or_name!r} than the source's: {canonical(inner)}",
                "pass the source's time columns as they are",
            )


def _required_outputs(view: FeatureView) -> dict[str, str]:
    """The columns that the SELECT of a view must give, each with what it is needed as."""
    needed = {each.name: "a feature of the schema" for each in view.schema_}
    needed |= dict.fromkeys(view.entity.join_keys, f"a join key of entity {view.entity.name!r}")
    return needed | _times(view)


def _times(view: FeatureView) -> dict[str, str]:
    times = {view.source.timestamp_field: "the event time of the source"}
    if view.source.created_timestamp_column is not None:
        times[view.source.created_timestamp_column] = "the created time of the source"
    return times


def _unknown_columns(view: FeatureView, expression: exp.Expr, what: str) -> Iterator[Wrong]:
    known = view.source.columns()
    for name in sorted(columns_of(expression) - set(known) - {"*"}):
        yield Wrong(f"{what} reads {name!r}, which source {view.source.name!r} does not declare", nearest(name, known))

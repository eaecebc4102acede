"""Rules about what a feature view reads from its source."""

from __future__ import annotations

from collections.abc import Iterator

from asof.definitions.collection import Definitions
from asof.definitions.feature_view import FeatureView
from asof.definitions.sql_text import nearest
from asof.errors import Problem


def key_columns(definitions: Definitions) -> Iterator[Problem]:
    """The entity's keys are columns of the source, of the same type; a SELECT may make them (``sql.selects``)."""
    for view in _readable(definitions):
        if view.kind == "sql" or not view.entity.complete:
            continue
        columns = view.source.columns()
        for key, value_type in view.entity.join_keys.items():
            if key not in columns:
                yield view.problem(
                    f"view {view.name!r}: source {view.source.name!r} has no column for join key {key!r}",
                    nearest(key, columns),
                )
            elif columns[key] != value_type:
                yield view.problem(
                    f"view {view.name!r}: join key {key!r} is {value_type} in entity {view.entity.name!r} "
                    f"but {columns[key]} in source {view.source.name!r}",
                    "give both the same type",
                )


def aggregated_columns(definitions: Definitions) -> Iterator[Problem]:
    """Aggregated columns are columns of the source, of a type that the function takes."""
    for view in _readable(definitions):
        columns = view.source.columns()
        for each in view.aggregations:
            if each.column is None:
                continue
            if each.column not in columns:
                yield each.problem(
                    f"view {view.name!r}: source {view.source.name!r} has no column {each.column!r}",
                    nearest(each.column, columns),
                )
            elif each.result(columns[each.column]) is None:
                yield each.problem(
                    f"view {view.name!r}: {each.function} does not take column {each.column!r}, "
                    f"which is {columns[each.column]}",
                    f"it takes {', '.join(each.takes())}",
                )


def passed_columns(definitions: Definitions) -> Iterator[Problem]:
    """Features that are passed through are columns of the source, of the same type."""
    for view in _readable(definitions):
        if view.kind != "passthrough":
            continue
        columns = view.source.columns()
        for field in view.schema_:
            if field.name not in columns:
                yield field.problem(
                    f"view {view.name!r}: source {view.source.name!r} has no column {field.name!r}",
                    nearest(field.name, columns),
                )
            elif columns[field.name] != field.dtype:
                yield field.problem(
                    f"view {view.name!r}: feature {field.name!r} is {field.dtype} "
                    f"but {columns[field.name]} in source {view.source.name!r}",
                    "give both the same type",
                )


def _readable(definitions: Definitions) -> Iterator[FeatureView]:
    """The views that are valid themselves, over sources that are."""
    return (view for view in definitions.feature_views if view.source_is_known)

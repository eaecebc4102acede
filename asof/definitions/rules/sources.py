"""Rules about the columns of sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from asof.definitions.arguments import COLUMN
from asof.definitions.collection import Definitions
from asof.errors import Problem


def column_names(definitions: Definitions) -> Iterator[Problem]:
    """A source's columns are named as Glue names columns, each once."""
    for source in definitions.sources:
        if not source.complete:
            continue
        for name, count in Counter(each.name for each in source.fields).items():
            if count > 1:
                yield source.problem(f"source {source.name!r} declares column {name!r} {count} times", "keep one")
        for name in source.columns():
            if not COLUMN.fullmatch(name):
                yield source.problem(
                    f"source {source.name!r} cannot have a column {name!r}",
                    "Glue spells columns in lower case: letters, digits and '_'",
                )


def role_types(definitions: Definitions) -> Iterator[Problem]:
    """The time columns are timestamps; the date partition is text and a column of its own."""
    for source in definitions.sources:
        if not source.complete:
            continue
        roles = source.roles()
        for field in source.fields:
            if field.name in roles and roles[field.name] != field.dtype:
                yield field.problem(
                    f"column {field.name!r} of source {source.name!r} must be {roles[field.name]}, not {field.dtype}",
                    "leave it out of the schema: its role gives its type",
                )
        if source.date_partition_column is not None and source.date_partition_column in (
            source.timestamp_field,
            source.created_timestamp_column,
        ):
            yield source.problem(
                f"source {source.name!r} has {source.date_partition_column!r} both as a time and as its date partition",
                "name the partition column, which holds YYYY-MM-DD",
            )

"""Entity rows: what a caller may give, checked at once and reduced to what the join needs.

Of a frame only a row id, the keys and the label time travel; every other column stays where it is, untouched.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from asof.errors import EntityRowsError, RequestError
from asof.extras import require
from asof.offline.arrow_types import arrow_column, to_instants, to_values
from asof.offline.objects import folder_uri
from asof.value_types import ValueType

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LABEL: Final = "event_timestamp"
"""The label time's column, by Feast's name, unless the caller names another."""

ROW_ID: Final = "asof_row_id"
"""The place of an entity row in the input, from 0, as it travels."""

INTERNAL_LABEL: Final = "asof_label"
"""The label time, as it travels."""


@dataclass(frozen=True, slots=True)
class EntitySQL:
    """Entity rows as a SELECT in Athena's SQL over tables of the catalog; it runs where the history is."""

    sql: str


@dataclass(frozen=True, slots=True)
class EntityS3:
    """Entity rows as Parquet objects under an S3 prefix (URI ending in ``/``)."""

    location: str


@dataclass(frozen=True, slots=True)
class EntityFrame:
    """Entity rows in memory.

    ``spine`` is what travels: row id, keys as declared, label time in UTC milliseconds. ``fields`` holds the request
    fields of on-demand views, as declared.
    """

    original: pd.DataFrame | pa.Table
    spine: pa.Table
    fields: Mapping[str, pa.ChunkedArray]


EntityRows = EntityFrame | EntitySQL | EntityS3


def column_names(frame: Any) -> list[Any]:
    """The column names of a pandas frame or an Arrow table."""
    return list(frame.column_names) if hasattr(frame, "column_names") else list(frame.columns)


@dataclass(frozen=True, slots=True)
class Needs:
    """What entity rows must have, and must not.

    ``keys`` and ``fields`` (request fields of on-demand views) are columns of those types, ``label`` is the column of
    label times, and no column may be called as one of ``outputs``.
    """

    keys: Mapping[str, ValueType]
    label: str
    outputs: tuple[str, ...]
    fields: Mapping[str, ValueType] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """Each column that must be there, with its role."""
        fields = dict.fromkeys(self.fields, "a request field")
        return {**fields, **dict.fromkeys(self.keys, "an entity key"), self.label: "the label time"}


def read_entity_rows(entity_df: Any, needs: Needs) -> EntityRows:
    """The entity rows of a call, checked as far as is possible without running anything.

    Raises EntityRowsError with everything that is wrong with a frame, and RequestError for what is no entity rows.
    """
    if isinstance(entity_df, EntityS3):
        return EntityS3(folder_uri(entity_df.location))
    if isinstance(entity_df, EntitySQL):
        return EntitySQL(entity_df.sql.strip().rstrip(";"))
    if isinstance(entity_df, str):
        text = entity_df.strip()
        if text.startswith("s3://"):
            return EntityS3(folder_uri(text))
        if text[:6].upper().startswith(("SELECT", "WITH")):
            return EntitySQL(text.rstrip(";"))
        raise RequestError(f"entity_df={entity_df[:60]!r} is text, but neither a SELECT nor an 's3://bucket/prefix/'")
    if not hasattr(entity_df, "column_names") and not hasattr(entity_df, "columns"):
        raise RequestError(
            f"entity_df is a {type(entity_df).__name__}; give a pandas frame, an Arrow table, a SELECT, or an S3 prefix"
        )
    return _frame(entity_df, needs)


def label_bounds(spine: pa.Table) -> tuple[int, int] | None:
    """First and last label in milliseconds, both inclusive; None where there is no row."""
    compute = require("pyarrow.compute", "offline", "entity rows in a frame")
    if not spine.num_rows:
        return None
    bounds = compute.min_max(spine[INTERNAL_LABEL].cast("int64")).as_py()
    return int(bounds["min"]), int(bounds["max"])


def name_problems(found: Sequence[Any], needs: Needs) -> list[str]:
    """A problem per column that is missing, ambiguous, or called like a feature or an inner column of the join."""
    problems = []
    for name, role in needs.columns.items():
        if name not in found:
            near = difflib.get_close_matches(name, [str(each) for each in found], n=1)
            hint = f"; is it {near[0]!r}?" if near else ""
            problems.append(f"column {name!r} ({role}) is missing{hint}")
        elif list(found).count(name) > 1:
            problems.append(f"column {name!r} ({role}) is there more than once")
    problems += [
        f"column {name!r} is also a feature's name; rename it, or ask with full_feature_names=True"
        for name in needs.outputs
        if name in found
    ]
    reserved = [name for name in (ROW_ID, INTERNAL_LABEL) if name in found]
    return problems + [f"column name {name!r} is reserved; rename it" for name in reserved]


def refuse(problems: Sequence[str]) -> None:
    """Raise EntityRowsError with all problems, if there are any."""
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise EntityRowsError(f"the entity rows cannot be used; nothing was run:\n{lines}")


def _frame(entity_df: Any, needs: Needs) -> EntityFrame:
    pa = require("pyarrow", "offline", "entity rows in a frame")
    found = column_names(entity_df)
    problems = name_problems(found, needs)
    spine = {ROW_ID: pa.chunked_array([pa.array(range(len(entity_df)), pa.int64())])}
    fields = {}
    for name in needs.columns:
        if found.count(name) != 1:
            continue
        try:
            column = _column(entity_df, name)
            if name in needs.keys:
                spine[name] = to_values(column, needs.keys[name])
            if name in needs.fields:
                fields[name] = to_values(column, needs.fields[name])
            if name == needs.label:
                spine[INTERNAL_LABEL] = _labels(column)
        except ValueError as error:
            problems.append(f"column {name!r} {error}")
    refuse(problems)
    return EntityFrame(entity_df, pa.table(spine), fields)


def _labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    labels = to_instants(column)
    if labels.null_count:
        first = labels.is_null().to_pylist().index(True)
        raise ValueError(f"(the label time) is null in {labels.null_count} rows, the first is row {first}")
    return labels


def _column(frame: Any, name: str) -> pa.ChunkedArray:
    """A column as Arrow; raises ValueError where its values are of several types."""
    pa = require("pyarrow", "offline", "entity rows in a frame")
    return frame.column(name) if isinstance(frame, pa.Table) else arrow_column(frame[name])

"""From an engine's answer to a training set: rows verified and in order, types as declared, attached to the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asof.errors import EntityRowsError, QueryError
from asof.extras import require
from asof.manifest import FeatureReference
from asof.offline.arrow_types import arrow_column, arrow_type, sql_arrow_type, to_values
from asof.offline.engine import Answer
from asof.offline.entity_rows import ROW_ID
from asof.offline.on_demand_columns import Columns, add_on_demand
from asof.offline.plan import Plan
from asof.value_types import ValueType, parse_type

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def build(plan: Plan, answer: Answer, fields: Mapping[str, pa.ChunkedArray] | None) -> pa.Table:
    """The carried columns, then the features asked for, typed as declared, one row per entity row in their order.

    ``fields`` holds the request fields; None means that they are among the carried columns. Raises QueryError where a
    row was lost, doubled or made up, and OnDemandError where an on-demand function fails.
    """
    pa = require("pyarrow", "offline", "a training set")
    table = in_order(answer)
    columns: Columns = {}
    for view in plan.resolved.views:
        for feature in view.features:
            reference = FeatureReference(view.view.name, view.view.version, feature.name)
            columns[reference] = _typed(table, plan.read[reference], parse_type(feature.dtype))
    if fields is None:
        needed = plan.question.needs.fields
        fields = {name: _typed(table, name, value_type) for name, value_type in needed.items()}
    add_on_demand(plan.manifest, plan.resolved, fields, columns, answer.rows)
    carried = {name: table[name] for name in answer.carry}
    return pa.table(carried | {column.name: columns[column.reference] for column in plan.resolved.columns})


def in_order(answer: Answer) -> pa.Table:
    """The answer in the order of the entity rows; raises QueryError unless it has each of them exactly once."""
    pa = require("pyarrow", "offline", "a training set")
    numpy = require("numpy", "offline", "a training set")
    if answer.table is None:
        return pa.table({name: pa.array([], sql_arrow_type(kind)) for name, kind in answer.carry.items()})
    table = answer.table.sort_by(ROW_ID)
    ids = table[ROW_ID].to_numpy()
    if len(ids) != answer.rows or not numpy.array_equal(ids, numpy.arange(answer.rows)):
        raise QueryError(
            f"{answer.rows} entity rows gave {len(ids)} rows with {len(numpy.unique(ids))} different ids; "
            f"rows must be conserved, so the result is not given out. Please report this",
            query_id=answer.query_ids[-1] if answer.query_ids else None,
        )
    return table


def _typed(table: pa.Table, name: str, value_type: ValueType) -> pa.ChunkedArray:
    """A column as declared; of an answer without rows, no values."""
    pa = require("pyarrow", "offline", "a training set")
    if not table.num_rows:
        return pa.chunked_array([], arrow_type(value_type))
    try:
        return to_values(table[name], value_type)
    except ValueError as error:
        raise QueryError(f"column {name!r} of the engine's answer {error}") from error


def attach(original: Any, features: pa.Table) -> pd.DataFrame:
    """A pandas frame's own columns, index and order, untouched, with the features as further columns."""
    pandas = require("pandas", "offline", "a training set as a pandas frame")
    added = pandas.DataFrame(_series(features), index=original.index)
    frame: pd.DataFrame = pandas.concat([original, added], axis=1)
    frame.attrs = dict(original.attrs)
    return frame


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A pandas frame of a table, with the row's place as index.

    NULL needs a nullable type only where there is one: whole numbers and booleans are then Int64 and boolean, floats
    NaN, instants NaT (in UTC, milliseconds), everything else None or NaN. Use Arrow where NULL and NaN must stay apart.
    """
    pandas = require("pandas", "offline", "a training set as a pandas frame")
    frame: pd.DataFrame = pandas.DataFrame(_series(table), index=pandas.RangeIndex(table.num_rows))
    return frame


def to_table(original: Any, features: pa.Table) -> pa.Table:
    """The original as an Arrow table (a pandas frame without its index) with the features as further columns."""
    pa = require("pyarrow", "offline", "a training set")
    if not isinstance(original, pa.Table):
        columns = [_own_column(original, place) for place in range(len(original.columns))]
        original = pa.table(columns, names=[str(name) for name in original.columns])
    for name in features.column_names:
        original = original.append_column(name, features[name])
    return original


def _own_column(frame: pd.DataFrame, place: int) -> pa.ChunkedArray:
    try:
        return arrow_column(frame.iloc[:, place])
    except ValueError as error:
        raise EntityRowsError(f"column {frame.columns[place]!r} cannot become an Arrow column: it {error}") from error


def _series(table: pa.Table) -> Mapping[str, Any]:
    pa = require("pyarrow", "offline", "a training set")
    pandas = require("pandas", "offline", "a training set as a pandas frame")
    nullable = {pa.int64(): pandas.Int64Dtype(), pa.bool_(): pandas.BooleanDtype()}.get
    return {
        name: (
            table[name].to_pandas(types_mapper=nullable) if table[name].null_count else table[name].to_pandas()
        ).array
        for name in table.column_names
    }

"""Value types as Arrow types, and columns brought to them without loss or refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asof.extras import require
from asof.value_types import ValueType

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXACT_FLOATS: Final = 2.0**53
"""Floats beyond it skip integers: a key that passed through one may have become another key."""


def arrow_type(value_type: ValueType) -> pa.DataType:
    """The Arrow type a feature of that type comes back as."""
    pa = require("pyarrow", "offline", "a training set")
    if value_type.kind == "Array":
        return pa.list_(arrow_type(ValueType(str(value_type.item))))
    if value_type.kind == "Embedding":
        return pa.list_(pa.float32())
    return {
        "Int64": pa.int64(),
        "Float64": pa.float64(),
        "Bool": pa.bool_(),
        "String": pa.string(),
        "Timestamp": pa.timestamp("ms", "UTC"),
        "Date": pa.date32(),
    }[value_type.kind]


def sql_arrow_type(sql_type: str) -> pa.DataType:
    """The Arrow type of a SQL type's name, for columns without a single row; null where the name says too little."""
    pa = require("pyarrow", "offline", "a training set")
    known = {
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "float": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "varchar": pa.string(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("ms"),
        "timestamp with time zone": pa.timestamp("ms"),
    }
    return known.get(sql_type.lower(), pa.null())


def arrow_column(series: pd.Series[Any]) -> pa.ChunkedArray:
    """A pandas column as Arrow, its missing values as NULL; raises ValueError where its values are of several types."""
    pa = require("pyarrow", "offline", "a pandas frame")
    zone = getattr(series.dtype, "tz", None)
    if zone is not None:
        # Zones are taken off and put on here: what Arrow does with them itself, pandas 3.1 warns of.
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    try:
        values = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise ValueError(f"holds values of several types, or of one that Arrow does not have: {error}") from error
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return column if zone is None else column.cast(pa.timestamp(column.type.unit, pa.lib.tzinfo_to_string(zone)))


def to_values(values: pa.ChunkedArray, value_type: ValueType) -> pa.ChunkedArray:
    """A column as exactly the Arrow type of a value type; raises ValueError saying what does not fit.

    Integers of any width and floats that hold whole numbers (pandas makes them of integers with gaps; NaN is null)
    become Int64; exact integers become Float64; instants are floored to milliseconds, without a zone they are UTC;
    lists are converted item by item. Nothing else is converted, and nothing with loss.
    """
    pa = require("pyarrow", "offline", "a training set")
    types = pa.types
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind, wanted = values.type, value_type.kind
    if wanted == "Timestamp":
        return to_instants(values).cast(arrow_type(value_type))
    if wanted == "Int64" and types.is_floating(kind):
        return _whole_numbers(values)
    fits = {
        "Int64": types.is_integer(kind),
        "Float64": types.is_floating(kind) or types.is_integer(kind),
        "String": types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind),
        "Bool": types.is_boolean(kind),
        "Date": types.is_date32(kind),
    }.get(wanted, types.is_list(kind) or types.is_large_list(kind))
    if not fits and not types.is_null(kind):
        hint = "; take its date" if wanted == "Date" and types.is_timestamp(kind) else ""
        raise ValueError(f"is {kind}, but is declared {value_type}{hint}")
    try:
        return values.cast(arrow_type(value_type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"does not fit {value_type}: {error}") from error


def to_instants(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of instants as UTC milliseconds without a zone, floored; a column without a zone is read as UTC.

    Raises ValueError where it is no column of timestamps.
    """
    pa = require("pyarrow", "offline", "entity rows")
    compute = require("pyarrow.compute", "offline", "entity rows")
    if pa.types.is_null(values.type):
        return values.cast(pa.timestamp("ms"))
    if not pa.types.is_timestamp(values.type):
        raise ValueError(f"is {values.type}, not a timestamp; convert it, for example with pandas.to_datetime")
    if values.type.unit == "s":
        return values.cast(pa.timestamp("s")).cast(pa.timestamp("ms"))
    unzoned = values.cast(pa.timestamp(values.type.unit))
    return compute.floor_temporal(unzoned, 1, "millisecond").cast(pa.timestamp("ms"))


def _whole_numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    pa = require("pyarrow", "offline", "entity rows")
    compute = require("pyarrow.compute", "offline", "entity rows")
    missing = compute.is_nan(values)
    values = compute.if_else(missing, pa.scalar(None, values.type), values)
    if compute.any(compute.greater_equal(compute.abs(values), _EXACT_FLOATS)).as_py():
        raise ValueError("holds floats of 2**53 or more, which cannot tell neighbouring keys apart; keep it an integer")
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise ValueError(f"holds fractions, but is declared Int64: {error}") from error

"""Rows of plain Python as Arrow tables, typed by Glue's type names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_TYPES = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


def arrow_type(glue: str) -> pa.DataType:
    """The Arrow type of one of Glue's; timestamps have microseconds and no zone."""
    if glue.startswith("array<"):
        return pa.list_(arrow_type(glue.removeprefix("array<").removesuffix(">")))
    return _TYPES["string" if glue.startswith("varchar(") else glue]


def arrow_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of these columns (Glue's types by name), in order; what a row lacks is NULL."""
    arrays = [pa.array([row.get(name) for row in rows], arrow_type(kind)) for name, kind in columns.items()]
    return pa.table(arrays, names=list(columns))

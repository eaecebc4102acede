"""Values as typed SQL literals, which Athena and DuckDB read alike, to the last bit."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Final

from sqlglot import exp

from asof.clock import from_ms, to_ms
from asof.manifest import Json
from asof.value_types import parse_type

_FLOAT32 = struct.Struct("<f")


def default_literal(dtype: str, default: Json) -> exp.Expr:
    """The literal of a manifest's default of a type; timestamps are floored to milliseconds, embeddings to float32.

    Raises ManifestError for an unknown type, ValueError, TypeError or OverflowError for a default not of the type.
    """
    value_type = parse_type(dtype)
    kind = exp.DataType.build(value_type.glue, dialect="hive")
    if value_type.kind == "Array":
        items = [_LITERALS[str(value_type.item)](each) for each in default]
    elif value_type.kind == "Embedding":
        items = [_float32(each) for each in default]
    else:
        return _LITERALS[value_type.kind](default)
    return exp.cast(exp.Array(expressions=items), kind)


def timestamp_literal(value_ms: int) -> exp.Expr:
    """The literal of an instant."""
    text = from_ms(value_ms).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return _cast(text, "timestamp")


def _instant(text: str) -> int:
    value = datetime.fromisoformat(text)
    return to_ms(value if value.tzinfo else value.replace(tzinfo=timezone.utc))


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _cast(text: str, kind: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), exp.DataType.build(kind))


def _float32(value: Json) -> exp.Expr:
    return _cast(_float_text(_FLOAT32.unpack(_FLOAT32.pack(float(value)))[0]), "real")


_LITERALS: Final[Mapping[str, Callable[[Json], exp.Expr]]] = {
    "Int64": lambda value: _cast(str(int(value)), "bigint"),  # as text, for the least integer has no literal
    "Float64": lambda value: _cast(_float_text(float(value)), "double"),
    "Bool": lambda value: exp.true() if value else exp.false(),
    "String": exp.Literal.string,
    "Timestamp": lambda value: timestamp_literal(_instant(value)),
    "Date": lambda value: _cast(value, "date"),
}

"""The types a key, a column or a feature can have, and the Python value each stands for.

| type           | Python value                   | Parquet / Athena | text in the manifest |
|----------------|--------------------------------|------------------|----------------------|
| Int64          | int in [-2**63, 2**63)         | bigint           | ``Int64``            |
| Float64        | float, NaN and infinities too  | double           | ``Float64``          |
| Bool           | bool                           | boolean          | ``Bool``             |
| String         | str                            | string           | ``String``           |
| Timestamp      | aware datetime, millisecond    | timestamp        | ``Timestamp``        |
| Date           | date                           | date             | ``Date``             |
| Array(item)    | list of non-null item values   | array<item>      | ``Array<Int64>``     |
| Embedding(dim) | list of dim float32 values     | array<float>     | ``Embedding<128>``   |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from asof.errors import ManifestError

SCALARS: Final = ("Int64", "Float64", "Bool", "String", "Timestamp", "Date")
KEY_TYPES: Final = ("Int64", "String", "Date", "Bool")
"""Types an entity key may have: those with exact equality on every engine."""

_GLUE: Final = {
    "Int64": "bigint",
    "Float64": "double",
    "Bool": "boolean",
    "String": "string",
    "Timestamp": "timestamp",
    "Date": "date",
}
_ARRAY = re.compile(r"Array<(\w+)>")
_EMBEDDING = re.compile(r"Embedding<([1-9]\d*)>")


@dataclass(frozen=True, slots=True)
class ValueType:
    """A value's type. ``kind`` is a scalar's name, ``Array`` (see ``item``) or ``Embedding`` (see ``dim``)."""

    kind: str
    item: str | None = None
    dim: int | None = None

    def __str__(self) -> str:
        if self.kind == "Array":
            return f"Array<{self.item}>"
        if self.kind == "Embedding":
            return f"Embedding<{self.dim}>"
        return self.kind

    @property
    def glue(self) -> str:
        """The type's name in Glue and Athena DDL."""
        if self.kind == "Array":
            return f"array<{_GLUE[str(self.item)]}>"
        return "array<float>" if self.kind == "Embedding" else _GLUE[self.kind]


Int64: Final = ValueType("Int64")
Float64: Final = ValueType("Float64")
Bool: Final = ValueType("Bool")
String: Final = ValueType("String")
Timestamp: Final = ValueType("Timestamp")
Date: Final = ValueType("Date")


def Array(item: ValueType) -> ValueType:
    """A list of non-null values of one scalar type; raises ValueError for a nested type."""
    if item.kind not in SCALARS:
        raise ValueError(f"Array({item}) is not supported: an array holds one of {', '.join(SCALARS)}")
    return ValueType("Array", item=item.kind)


def Embedding(dim: int) -> ValueType:
    """A vector of ``dim`` float32 values; raises ValueError unless ``dim`` is a positive whole number."""
    if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
        raise ValueError(f"Embedding({dim!r}) needs a positive whole number of dimensions")
    return ValueType("Embedding", dim=dim)


def parse_type(text: str) -> ValueType:
    """The type a manifest's text names; the inverse of ``str``. Raises ManifestError for anything else."""
    if text in SCALARS:
        return ValueType(text)
    if (match := _ARRAY.fullmatch(text)) and match[1] in SCALARS:
        return ValueType("Array", item=match[1])
    if match := _EMBEDDING.fullmatch(text):
        return ValueType("Embedding", dim=int(match[1]))
    raise ManifestError(f"unknown type {text!r}; known are {', '.join(SCALARS)}, Array<...> and Embedding<dim>")

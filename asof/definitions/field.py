"""Fields: named, typed columns of sources, features and requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asof.definitions.arguments import Type
from asof.definitions.base import Definition, Wrong
from asof.on_demand import conform
from asof.value_types import ValueType


class Field(Definition):
    """A named, typed column. As a feature, ``default`` is its value where an entity has no row."""

    name: str
    dtype: Type
    description: str = ""
    default: Any = None

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """The default must fit the type."""
        dtype = given.get("dtype")
        if isinstance(dtype, ValueType):
            try:
                conform(given.get("default"), dtype)
            except ValueError as error:
                yield Wrong(f"the default does not fit {dtype}: {error}", f"give a default of type {dtype}")

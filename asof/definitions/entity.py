"""Entities: what features describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asof.definitions.arguments import Published, Type, check_name
from asof.definitions.base import Wrong
from asof.names import RESERVED_COLUMNS
from asof.value_types import KEY_TYPES, ValueType


class Entity(Published):
    """What features describe: one or more typed keys, in an order that is part of the meaning.

    ``Entity(name="route", join_keys={"origin": String, "dest": String})``
    """

    join_keys: Mapping[str, Type]

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """There are keys; each has a usable name and a type with exact equality on every engine."""
        keys = given.get("join_keys")
        if not isinstance(keys, Mapping):
            return
        if not keys:
            yield Wrong("join_keys is empty", 'name at least one key, for example join_keys={"origin": String}')
        for name, value_type in keys.items():
            yield from _name_wrongs(name)
            if isinstance(value_type, ValueType) and str(value_type) not in KEY_TYPES:
                yield Wrong(
                    f"the join key {name!r} cannot be {value_type}",
                    f"keys need exact equality on every engine: {', '.join(KEY_TYPES)}",
                )


def _name_wrongs(name: object) -> Iterator[Wrong]:
    try:
        check_name(str(name), "the join key")
    except Wrong as wrong:
        yield wrong
    if name in RESERVED_COLUMNS:
        yield Wrong(f"the join key {name!r} is a column of every history table", "call the key something else")

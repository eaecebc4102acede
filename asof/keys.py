"""Entity keys as the online store spells them: typed, readable, unambiguous.

``partition_key("route", [("String", "JFK"), ("Int64", 12)])`` is ``route#s:JFK#i:12``. Within a string, ``%`` and ``#``
are escaped as ``%25`` and ``%23``, so two different keys never share a spelling and keys are never merely concatenated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from asof.errors import EntityRowsError

KeyValue = str | int | bool | date

MAX_KEY_BYTES: Final = 2048
"""DynamoDB's limit for a partition key."""

WATERMARK_KEY: Final = "#watermark"
"""Partition key of the per-view watermarks; no entity name can begin with ``#``."""


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return "s:" + value.replace("%", "%25").replace("#", "%23")


def _int(value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise TypeError
    return f"i:{int(value)}"


def _bool(value: object) -> str:
    if not isinstance(value, bool):
        raise TypeError
    return "b:1" if value else "b:0"


def _date(value: object) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError
    return f"d:{value.isoformat()}"


_SPELL: Final[Mapping[str, Callable[[object], str]]] = {
    "String": _string,
    "Int64": _int,
    "Bool": _bool,
    "Date": _date,
}


def partition_key(entity: str, typed_values: Sequence[tuple[str, object]]) -> str:
    """The partition key of one entity: its name and its key values, each given as ``(type, value)`` in declared order.

    Raises EntityRowsError for a null, a value that is not of the declared type, and a key over 2,048 bytes.
    """
    parts = [entity]
    for kind, value in typed_values:
        try:
            parts.append(_SPELL[kind](value))
        except TypeError:
            raise EntityRowsError(
                f"key {value!r} of entity {entity!r} is a {type(value).__name__}, but the key is declared {kind}"
            ) from None
    key = "#".join(parts)
    if len(key) * 4 > MAX_KEY_BYTES and len(key.encode()) > MAX_KEY_BYTES:
        raise EntityRowsError(
            f"a key of entity {entity!r} is {len(key.encode())} bytes long; the limit is {MAX_KEY_BYTES}"
        )
    return key


def sort_key(view: str, version: int) -> str:
    """The sort key of one view version's item: ``view@v2``."""
    return f"{view}@v{version}"

"""What DynamoDB counts for an item, and so what writing it costs.

As in https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

WRITE_UNIT: Final = 1024
_CONTAINER: Final = 3
_ELEMENT: Final = 1


def write_units(items: Iterable[Mapping[str, Mapping[str, Any]]]) -> int:
    """The write units of putting these items, one by one."""
    return sum(-(-item_bytes(item) // WRITE_UNIT) for item in items)


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """An item's bytes: its attributes' names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(str(value).encode())
        case "B":
            return len(bytes(value))
        case "N":
            text = str(value)
            digits = text.lstrip("-").replace(".", "").strip("0") or "0"
            return 1 + (len(digits) + 1) // 2 + text.startswith("-")
        case "M":
            return _CONTAINER + sum(len(name.encode()) + _ELEMENT + _value_bytes(each) for name, each in value.items())
        case "L":
            return _CONTAINER + sum(_ELEMENT + _value_bytes(each) for each in value)
        case "NULL" | "BOOL":
            return 1
        case _:
            raise ValueError(f"an attribute of type {kind} is none of those that are written here")

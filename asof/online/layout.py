"""Items of the online table: their attributes, and how a row of a view becomes one.

| attribute | type | meaning                                                        |
|-----------|------|----------------------------------------------------------------|
| ``pk``    | S    | entity name and typed key values (``asof.keys.partition_key``) |
| ``sk``    | S    | ``view@vN``                                                    |
| ``v``     | B    | packed values in declared order (``asof.online.codec``)        |
| ``e``     | N    | event time, milliseconds                                       |
| ``c``     | N    | created time, milliseconds                                     |
| ``x``     | N    | epoch second after which DynamoDB may delete the item; only where the view has a ttl |

A view's watermark is an item of its own: pk ``#watermark``, sk ``view@vN``, ``w`` (N) its as-of time in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asof.errors import EntityRowsError, ItemTooLargeError
from asof.keys import PartitionKeys, sort_key
from asof.manifest import Entity, FeatureView
from asof.online.codec import Codec

MAX_ITEM_BYTES: Final = 400 * 1024
"""DynamoDB's limit for an item: its attribute names and values together."""

EXPIRY_SLACK_S: Final = 86_400
"""How long after its ttl an item is kept: a reader whose clock is behind still judges for itself, by ``e``."""

_NUMBER_BYTES: Final = 21  # the most DynamoDB counts for a number

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's API spells it: attribute -> {type: value}."""


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """A feature row on its way to the online store: key values and feature values in declared order (None: null).

    ``created_ms=None`` is a NULL created time; it counts as created at the event time.
    """

    keys: Sequence[object]
    event_ms: int
    created_ms: int | None
    values: Sequence[object]


class ItemLayout:
    """Turns rows of one view version into items. Compiled once, then free of state."""

    def __init__(self, view: FeatureView, entity: Entity) -> None:
        self._view = view
        self._entity = entity
        self._partition_key = PartitionKeys(entity.name, [column.dtype for column in entity.join_keys])
        self._sort_key = sort_key(view.name, view.version)
        self._codec = Codec(view.features, view.reference)

    def item(self, row: OnlineRow) -> dict[str, dict[str, Any]]:
        """The item of a row.

        Raises EntityRowsError or RequestError where a key or value does not fit its declared type, and
        ItemTooLargeError where the item is over DynamoDB's limit.
        """
        if len(row.keys) != len(self._entity.join_keys):
            raise EntityRowsError(
                f"entity {self._entity.name!r} has {len(self._entity.join_keys)} keys, but {len(row.keys)} values were "
                f"given"
            )
        pk = self._partition_key(row.keys)
        packed = self._codec.encode(row.values)
        created_ms = row.event_ms if row.created_ms is None else row.created_ms
        item: dict[str, dict[str, Any]] = {
            "pk": {"S": pk},
            "sk": {"S": self._sort_key},
            "v": {"B": packed},
            "e": {"N": str(row.event_ms)},
            "c": {"N": str(created_ms)},
        }
        if self._view.expires_ms is not None:
            item["x"] = {"N": str(expiry_s(row.event_ms, self._view.expires_ms))}
        size = item_bytes(item)
        if size > MAX_ITEM_BYTES:
            raise ItemTooLargeError(
                f"the values of view {self._view.reference} for entity {pk!r} make an item of {size} bytes; DynamoDB "
                f"holds at most {MAX_ITEM_BYTES}: split the view, or shorten its strings and arrays"
            )
        return item


def expiry_s(event_ms: int, ttl_ms: int) -> int:
    """The epoch second after which DynamoDB may delete an item: its expiry rounded up, plus slack."""
    return -(-(event_ms + ttl_ms) // 1000) + EXPIRY_SLACK_S


def item_bytes(item: Item) -> int:
    """An item's size as DynamoDB counts it, rounded up by taking every number at its longest."""
    size = 0
    for name, attribute in item.items():
        for kind, value in attribute.items():
            size += len(name) + (_NUMBER_BYTES if kind == "N" else len(value.encode() if kind == "S" else value))
    return size

"""Entity keys as the online store spells them: typed, readable, unambiguous.

``partition_key("route", [("String", "JFK"), ("Int64", 12)])`` is ``route#s:JFK#i:12``. Within a string, ``%`` and ``#``
are escaped as ``%25`` and ``%23``, so two different keys never share a spelling and keys are never merely concatenated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    return PartitionKeys(entity, [kind for kind, _ in typed_values])([value for _, value in typed_values])


class PartitionKeys:
    """Spells the partition keys of one entity whose keys are of these types, in declared order. Free of state."""

    def __init__(self, entity: str, kinds: Sequence[str]) -> None:
        self._entity = entity
        self._prefix = f"{entity}#"
        self._kinds = tuple(kinds)
        self._spell = tuple(_SPELL[kind] for kind in kinds)
        self._always_short = "String" not in kinds

    def __call__(self, values: Sequence[object]) -> str:
        """As :func:`partition_key`, which see for the errors."""
        try:
            key = self._prefix + "#".join([spell(value) for spell, value in self._pairs(values)])
        except TypeError:
            raise self._misfit(values) from None
        return self._short_enough(key)

    def of_rows(self, columns: Sequence[Sequence[object]]) -> list[str | None]:
        """The keys of rows whose values are in columns; None for a row with a null. Errors name the row, from 0."""
        if len(self._spell) == 1:  # most entities have one key, and this is what a lookup does most often
            prefix, (spell,), (column,) = self._prefix, self._spell, columns
            try:
                keys = [None if value is None else prefix + spell(value) for value in column]
            except TypeError:
                pass  # said below, with its row
            else:
                if self._always_short or max(map(len, filter(None, keys)), default=0) * 4 <= MAX_KEY_BYTES:
                    return keys
        keys = []
        for values in zip(*columns, strict=True):
            try:
                keys.append(None if None in values else self(values))
            except EntityRowsError as error:
                raise EntityRowsError(f"entity row {len(keys)}: {error}") from None
        return keys

    def _short_enough(self, key: str) -> str:
        if len(key) * 4 > MAX_KEY_BYTES and len(key.encode()) > MAX_KEY_BYTES:
            raise EntityRowsError(
                f"a key of entity {self._entity!r} is {len(key.encode())} bytes long; the limit is {MAX_KEY_BYTES}"
            )
        return key

    def _pairs(self, values: Sequence[object]) -> Iterator[tuple[Callable[[object], str], object]]:
        return zip(self._spell, values, strict=True)

    def _misfit(self, values: Sequence[object]) -> EntityRowsError:
        """The error that names the first value that is not of its declared type."""
        at = next(i for i, (spell, value) in enumerate(self._pairs(values)) if not _fits(spell, value))
        return EntityRowsError(
            f"key {values[at]!r} of entity {self._entity!r} is a {type(values[at]).__name__}, but the key is declared "
            f"{self._kinds[at]}"
        )


def _fits(spell: Callable[[object], str], value: object) -> bool:
    try:
        spell(value)
    except TypeError:
        return False
    return True


def sort_key(view: str, version: int) -> str:
    """The sort key of one view version's item: ``view@v2``."""
    return f"{view}@v{version}"

"""What the codec knows of each value type: how a value is checked, packed, restored, and read from text and JSON.

A fixed-width kind packs to one value of a ``struct`` format; any other kind packs to a payload of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from asof.clock import EPOCH, MILLISECOND, from_ms
from asof.value_types import ValueType

_EPOCH_ORDINAL: Final = EPOCH.date().toordinal()
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type's conversions. Each raises TypeError, ValueError or OverflowError for a value that does not fit.

    ``format`` is the struct letter of a fixed-width kind, None where ``pack`` gives bytes of any length.
    ``unpack`` is the inverse of ``pack``, None where it would change nothing.
    ``from_text`` reads the loader's text form (a list of texts for arrays and embeddings), ``from_json`` a manifest's
    default; both give the Python value.
    """

    format: str | None
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any] | None
    from_text: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def _pack_int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("it is not an int")
    if not -(2**63) <= value < 2**63:
        raise OverflowError("it is outside [-2**63, 2**63)")
    return int(value)


def _pack_float(value: object) -> float:
    if isinstance(value, float):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("it is not a float")
    number = float(value)
    if number != value:
        raise ValueError("no float is equal to it")
    return number


def _pack_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("it is not a bool")
    return value


def _pack_string(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("it is not a str")
    return value.encode()


def _unpack_string(payload: bytes) -> str:
    return payload.decode()


def _pack_timestamp(value: object) -> int:
    if not isinstance(value, datetime):
        raise TypeError("it is not a datetime")
    if value.utcoffset() is None:
        raise ValueError("it has no time zone")
    return (value - EPOCH) // MILLISECOND


def _pack_date(value: object) -> int:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError("it is not a date")
    return value.toordinal() - _EPOCH_ORDINAL


def _unpack_date(days: int) -> date:
    return date.fromordinal(days + _EPOCH_ORDINAL)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it is not text")
    return value


def _bool_text(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("it is neither 'true' nor 'false'")
    return value == "true"


def _timestamp_json(value: object) -> datetime:
    return from_ms(_pack_timestamp(datetime.fromisoformat(_text(value))))


def _float_json(value: object) -> float:
    return float(value) if isinstance(value, str) else _pack_float(value)


def _date_text(value: object) -> date:
    return date.fromisoformat(_text(value))


def _bool_json(value: object) -> bool:
    return _pack_bool(value)


def _float_text(value: object) -> float:
    return float(_text(value))


def _int_text(value: object) -> int:
    return _pack_int(int(_text(value)))


def _timestamp_text(value: object) -> datetime:
    return from_ms(int(_text(value)))


_SCALAR_KINDS: Final[Mapping[str, Kind]] = {
    "Int64": Kind("q", _pack_int, None, _int_text, _pack_int),
    "Float64": Kind("d", _pack_float, None, _float_text, _float_json),
    "Bool": Kind("?", _pack_bool, None, _bool_text, _bool_json),
    "String": Kind(None, _pack_string, _unpack_string, _text, _text),
    "Timestamp": Kind("q", _pack_timestamp, from_ms, _timestamp_text, _timestamp_json),
    "Date": Kind("i", _pack_date, _unpack_date, _date_text, _date_text),
}


def kind_of(value_type: ValueType) -> Kind:
    """The conversions of a value type."""
    if value_type.kind == "Embedding":
        return _embedding(int(value_type.dim or 0))
    if value_type.kind == "Array":
        return _array(_SCALAR_KINDS[str(value_type.item)])
    return _SCALAR_KINDS[value_type.kind]


def _items(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError("it is not a list")
    return value


def _array(item: Kind) -> Kind:
    pack, unpack = (_packed_strings, _unpacked_strings) if item.format is None else _fixed_items(item)
    return Kind(
        None,
        pack,
        unpack,
        lambda texts: [item.from_text(text) for text in _items(texts)],
        lambda values: [item.from_json(value) for value in _items(values)],
    )


def _fixed_items(item: Kind) -> tuple[Callable[[object], bytes], Callable[[bytes], list[Any]]]:
    size = struct.calcsize(f"<{item.format}")

    def pack(value: object) -> bytes:
        raws = [item.pack(each) for each in _items(value)]
        return struct.pack(f"<{len(raws)}{item.format}", *raws)

    def unpack(payload: bytes) -> list[Any]:
        count, rest = divmod(len(payload), size)
        if rest:
            raise ValueError(f"an array of {size}-byte items is {len(payload)} bytes long")
        raws = struct.unpack(f"<{count}{item.format}", payload)
        return [item.unpack(raw) for raw in raws] if item.unpack else list(raws)

    return pack, unpack


def _packed_strings(value: object) -> bytes:
    parts = []
    for text in map(_pack_string, _items(value)):
        parts += [_LENGTH.pack(len(text)), text]
    return b"".join(parts)


def _unpacked_strings(payload: bytes) -> list[str]:
    texts = []
    at = 0
    while at < len(payload):
        if at + _LENGTH.size > len(payload):
            raise ValueError("an array of strings ends within a length")
        (length,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        if at + length > len(payload):
            raise ValueError("an array of strings ends within a string")
        texts.append(payload[at : at + length].decode())
        at += length
    return texts


def _embedding(dim: int) -> Kind:
    vector = struct.Struct(f"<{dim}f")

    def pack(value: object) -> bytes:
        numbers = [_pack_float(each) for each in _items(value)]
        if len(numbers) != dim:
            raise ValueError(f"it has {len(numbers)} values, not {dim}")
        return vector.pack(*numbers)

    def unpack(payload: bytes) -> list[float]:
        if len(payload) != vector.size:
            raise ValueError(f"an embedding of {dim} values is {len(payload)} bytes long, not {vector.size}")
        return list(vector.unpack(payload))

    def vector_of(values: object, number: Callable[[Any], float]) -> list[float]:
        return unpack(pack([number(each) for each in _items(values)]))

    return Kind(
        None,
        pack,
        unpack,
        lambda texts: vector_of(texts, _float_text),
        lambda values: vector_of(values, _float_json),
    )

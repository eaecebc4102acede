"""The packed form of a view's values in the online store. Standard library only.

Little-endian, in this order:

- version, 1 byte: 1.
- schema, 2 bytes: low half of the CRC-32 of the features' ``name:dtype`` in declared order, joined by newlines.
- nulls, ceil(n / 8) bytes: one bit per feature, lowest bit first; set means null.
- fixed, per feature, zero for null: Int64 i64, Float64 f64, Bool u8, Timestamp i64 milliseconds, Date i32 days since
  1970-01-01; for a String, an Array and an Embedding u32, the length of its payload in bytes.
- payloads: UTF-8; the items one after the other (each string after its u32 length); float32 values.

The fixed part is one ``struct``, which is why decoding is fast: 100 items of 100 floats take about 0.1 ms.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Callable, Sequence
from typing import Any, Final

from asof.errors import OnlineStoreError, RequestError
from asof.manifest import Feature
from asof.online.kinds import Kind, kind_of
from asof.value_types import ValueType, parse_type

CODEC_VERSION: Final = 1
_SHOWN: Final = 80
_MISFITS: Final = (TypeError, ValueError, OverflowError)

Values = tuple[Any, ...]
"""Values of a view's features in declared order; None is null."""


class Codec:
    """Packs and unpacks the values of one view version. Compiled once, then free of state.

    ``owner`` (``view@v2``) only appears in messages.
    """

    def __init__(self, features: Sequence[Feature], owner: str = "view") -> None:
        self._owner = owner
        self._features = tuple(features)
        self._kinds = tuple(kind_of(parse_type(feature.dtype)) for feature in features)
        schema = "\n".join(f"{feature.name}:{feature.dtype}" for feature in features)
        self._head = bytes([CODEC_VERSION]) + (crc32(schema.encode()) & 0xFFFF).to_bytes(2, "little")
        self._null_bytes = (len(self._features) + 7) // 8
        self.no_nulls: Final = self._head + bytes(self._null_bytes)
        """What the packed form begins with where no value is null."""
        self._fixed = struct.Struct("<" + "".join(kind.format or "I" for kind in self._kinds))
        self._start = len(self.no_nulls)
        self._size = self._start + self._fixed.size
        # Plain values (int, float, bool) come out of the struct as they are; these do not.
        self._restored = tuple((i, kind.unpack) for i, kind in enumerate(self._kinds) if kind.format and kind.unpack)
        self._payloads = tuple((i, kind) for i, kind in enumerate(self._kinds) if kind.format is None)
        self._plain = not self._restored and not self._payloads

    def encode(self, values: Sequence[object]) -> bytes:
        """The packed form of one value (or None) per feature, in declared order.

        Raises RequestError naming the feature, its declared type and the value where one does not fit.
        """
        if len(values) != len(self._features):
            raise RequestError(f"{self._owner} has {len(self._features)} features, but {len(values)} values were given")
        nulls = 0
        fixed: list[object] = []
        payloads: list[bytes] = []
        for i, (value, kind) in enumerate(zip(values, self._kinds, strict=True)):
            if value is None:
                nulls |= 1 << i
                fixed.append(0)
                continue
            raw = self._packed(i, kind, value)
            if kind.format is None:
                payloads.append(raw)
                raw = len(raw)
            fixed.append(raw)
        head = self._head + nulls.to_bytes(self._null_bytes, "little")
        return b"".join((head, self._fixed.pack(*fixed), *payloads))

    def decode(self, data: bytes) -> Values:
        """The values of a packed form, in declared order.

        Raises OnlineStoreError for bytes of another codec version, of other features, cut short or too long.
        """
        if self._plain and len(data) == self._size and data.startswith(self.no_nulls):
            return self._fixed.unpack_from(data, self._start)
        self._check(data)
        values = list(self._fixed.unpack_from(data, self._start))
        nulls = int.from_bytes(data[len(self._head) : self._start], "little")
        try:
            self._restore(values, nulls, data)
        except _MISFITS as error:
            raise OnlineStoreError(f"stored bytes of {self._owner} do not hold its features: {error}") from error
        while nulls:
            lowest = nulls & -nulls
            values[lowest.bit_length() - 1] = None
            nulls ^= lowest
        return tuple(values)

    def _packed(self, i: int, kind: Kind, value: object) -> Any:
        try:
            return kind.pack(value)
        except _MISFITS as error:
            feature = self._features[i]
            raise RequestError(
                f"feature {feature.name!r} of {self._owner} is declared {feature.dtype}, but a value given for it does "
                f"not fit, {_shown(value)} of type {type(value).__name__}: {error}"
            ) from error

    def _check(self, data: bytes) -> None:
        if data[:1] != self._head[:1]:
            found = f"version {data[0]}" if data else "nothing"
            raise OnlineStoreError(
                f"stored bytes of {self._owner} are of codec {found}; this version of asof reads version "
                f"{CODEC_VERSION}: upgrade the reader, or load the view again"
            )
        if data[:3] != self._head:
            raise OnlineStoreError(
                f"stored bytes of {self._owner} were written for other features than the manifest's; "
                f"check that reader and writer use the same manifest"
            )
        if len(data) < self._size:
            raise OnlineStoreError(
                f"stored bytes of {self._owner} are cut short: {len(data)} bytes, at least {self._size} expected"
            )

    def _restore(self, values: list[Any], nulls: int, data: bytes) -> None:
        """Replaces raw struct values by Python values, in place."""
        if nulls >> len(values):
            raise ValueError("null bits beyond the last feature")
        for i, unpack in self._restored:
            if not nulls >> i & 1:
                values[i] = unpack(values[i])
        at = self._size
        for i, kind in self._payloads:
            end = at + values[i]
            payload = data[at:end]
            if len(payload) != end - at:
                raise ValueError(f"{len(data)} bytes, more expected")
            if kind.unpack and not nulls >> i & 1:
                values[i] = kind.unpack(payload)
            at = end
        if at != len(data):
            raise ValueError(f"{len(data)} bytes, {at} expected")


def parse_text(value_type: ValueType, text: str | Sequence[str] | None) -> Any:
    """The Python value of the text the ``latest`` query gives (a list of texts for arrays and embeddings; None: null).

    Timestamps are milliseconds, dates ISO, booleans ``true`` or ``false``. Raises RequestError where it does not parse.
    """
    return None if text is None else _converted(value_type, kind_of(value_type).from_text, text)


def default_value(feature: Feature) -> Any:
    """The Python value of a feature's declared default; None where there is none."""
    if feature.default is None:
        return None
    value_type = parse_type(feature.dtype)
    return _converted(value_type, kind_of(value_type).from_json, feature.default)


def _converted(value_type: ValueType, convert: Callable[[Any], Any], text: object) -> Any:
    try:
        return convert(text)
    except _MISFITS as error:
        raise RequestError(f"{_shown(text)} is not a value of type {value_type}: {error}") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

"""The packed form: exact, pinned, and refused where it is not what it should be."""

from __future__ import annotations

import contextlib
import math
import struct
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.errors import OnlineStoreError, RequestError
from asof.manifest import Feature
from asof.online.codec import Codec, default_value, parse_text
from asof.value_types import parse_type

INSTANTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(  # noqa: DTZ001 - zoned below
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=timezone.utc)
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats(width=64) | st.sampled_from([-0.0, math.inf, -math.inf, math.nan]),
    "Bool": st.booleans(),
    "String": st.text() | st.sampled_from(["", "\0", "a\0b", "\U0001f6eb"]),
    "Timestamp": INSTANTS,
    "Date": st.dates(),
}
TYPES = (
    SCALARS
    | {f"Array<{name}>": st.lists(values, max_size=5) for name, values in SCALARS.items()}
    | {"Embedding<3>": st.lists(st.floats(width=32), min_size=3, max_size=3)}
)


def bits(value: Any) -> Any:
    """The value with floats as their bits, so that NaN equals itself and -0.0 is not 0.0; types told apart."""
    if isinstance(value, list):
        return [bits(each) for each in value]
    return type(value), struct.pack(">d", value) if isinstance(value, float) else value


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[Feature], list[Any]]:
    """A view's features and one value, or None, for each."""
    dtypes = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=20))
    return (
        [Feature(f"f{i}", dtype) for i, dtype in enumerate(dtypes)],
        [draw(st.none() | TYPES[dtype]) for dtype in dtypes],
    )


@settings(deadline=None, max_examples=300)
@given(rows())
def test_every_row_comes_back_exactly(row: tuple[list[Feature], list[Any]]) -> None:
    features, values = row
    decoded = Codec(features).decode(Codec(features).encode(values))
    assert [bits(each) for each in decoded] == [bits(each) for each in values]


@settings(deadline=None, max_examples=200)
@given(rows(), st.data())
def test_bytes_cut_short_are_refused(row: tuple[list[Feature], list[Any]], data: st.DataObject) -> None:
    features, values = row
    packed = Codec(features).encode(values)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(OnlineStoreError):
        Codec(features).decode(packed[:cut])
    with pytest.raises(OnlineStoreError):
        Codec(features).decode(packed + b"\0")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=9), st.binary(max_size=60))
def test_foreign_bytes_are_refused_and_never_crash(dtypes: list[str], tail: bytes) -> None:
    """Whatever follows a proper head either decodes or is refused as what it is."""
    features = [Feature(f"f{i}", dtype) for i, dtype in enumerate(dtypes)]
    head = Codec(features).encode([None] * len(features))[:3]
    for foreign in (tail, head + tail):
        with contextlib.suppress(OnlineStoreError):
            assert len(Codec(features).decode(foreign)) == len(features)


GOLDEN_FEATURES = [
    Feature("i", "Int64"),
    Feature("f", "Float64"),
    Feature("b", "Bool"),
    Feature("s", "String"),
    Feature("t", "Timestamp"),
    Feature("d", "Date"),
    Feature("ai", "Array<Int64>"),
    Feature("as", "Array<String>"),
    Feature("e", "Embedding<2>"),
    Feature("n", "Float64"),
]
GOLDEN_VALUES = (
    -2,
    1.5,
    True,
    "é",
    datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc),
    date(1969, 12, 31),
    [1, 2],
    ["a", ""],
    [0.5, -1.0],
    None,
)
GOLDEN_BYTES = bytes.fromhex(
    "01"  # version
    "1eda"  # schema
    "0002"  # nulls: feature 9
    "feffffffffffffff"  # i
    "000000000000f83f"  # f
    "01"  # b
    "02000000"  # s: length
    "e803000000000000"  # t: ms
    "ffffffff"  # d: days
    "10000000"  # ai: length
    "09000000"  # as: length
    "08000000"  # e: length
    "0000000000000000"  # n
    "c3a9"
    "01000000000000000200000000000000"
    "010000006100000000"
    "0000003f000080bf"
)


def test_the_format_is_pinned() -> None:
    """Items written by an older release must stay readable: a change of these bytes needs a new codec version."""
    assert Codec(GOLDEN_FEATURES).encode(GOLDEN_VALUES) == GOLDEN_BYTES
    assert Codec(GOLDEN_FEATURES).decode(GOLDEN_BYTES) == GOLDEN_VALUES


def test_bytes_of_another_version_or_of_other_features_are_named() -> None:
    codec = Codec([Feature("a", "Int64")], "weather@v2")
    with pytest.raises(OnlineStoreError, match=r"weather@v2 are of codec version 9; .* reads version 1"):
        codec.decode(b"\x09" + codec.encode([1])[1:])
    with pytest.raises(OnlineStoreError, match="codec nothing"):
        codec.decode(b"")
    with pytest.raises(OnlineStoreError, match="other features"):
        codec.decode(Codec([Feature("b", "Int64")]).encode([1]))
    with pytest.raises(OnlineStoreError, match="cut short"):
        codec.decode(codec.encode([1])[:-1])


@pytest.mark.parametrize(
    ("dtype", "value", "why"),
    [
        ("Int64", True, "not an int"),
        ("Int64", 1.0, "not an int"),
        ("Int64", 2**63, "outside"),
        ("Int64", -(2**63) - 1, "outside"),
        ("Float64", "1", "not a float"),
        ("Float64", False, "not a float"),
        ("Float64", 2**53 + 1, "no float is equal"),
        ("Float64", 10**400, "too large"),
        ("Bool", 1, "not a bool"),
        ("String", b"x", "not a str"),
        ("String", "\ud800", "surrogates"),
        ("Timestamp", datetime(2026, 1, 1), "no time zone"),  # noqa: DTZ001 - that is the mistake
        ("Timestamp", date(2026, 1, 1), "not a datetime"),
        ("Date", datetime(2026, 1, 1, tzinfo=timezone.utc), "not a date"),
        ("Array<Int64>", [1, None], "not an int"),
        ("Array<String>", "abc", "not a list"),
        ("Embedding<2>", [1.0], "1 values, not 2"),
        ("Embedding<1>", [1e39], "float too large"),
    ],
)
def test_a_value_that_does_not_fit_is_named(dtype: str, value: object, why: str) -> None:
    """Feature, declared type, value and reason."""
    with pytest.raises(RequestError, match=why) as caught:
        Codec([Feature("ok", "Int64"), Feature("bad", dtype)], "weather@v2").encode([1, value])
    for fact in ("'bad'", "weather@v2", dtype, repr(value)[:20], type(value).__name__):
        assert fact in str(caught.value)


def test_the_number_of_values_is_checked() -> None:
    with pytest.raises(RequestError, match="has 1 features, but 2 values"):
        Codec([Feature("a", "Int64")]).encode([1, 2])


def test_instants_are_floored_to_milliseconds_in_utc() -> None:
    codec = Codec([Feature("t", "Timestamp")])
    zone = timezone(timedelta(hours=2))
    decoded = codec.decode(codec.encode([datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=zone)]))
    assert decoded == (datetime(1969, 12, 31, 21, 59, 59, 999_000, tzinfo=timezone.utc),)


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("Int64", "-9223372036854775808", -(2**63)),
        ("Float64", "1.0E10", 1e10),
        ("Float64", "-0.0", -0.0),
        ("Float64", "NaN", math.nan),
        ("Float64", "nan", math.nan),
        ("Float64", "-Infinity", -math.inf),
        ("Float64", "inf", math.inf),
        ("Bool", "true", True),
        ("Bool", "false", False),
        ("String", "", ""),
        ("String", "12", "12"),
        ("Timestamp", "-1", datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc)),
        ("Date", "2024-02-29", date(2024, 2, 29)),
        ("Array<Int64>", [], []),
        ("Array<Timestamp>", ["0"], [datetime(1970, 1, 1, tzinfo=timezone.utc)]),
        ("Array<Bool>", ["true", "false"], [True, False]),
        ("Embedding<2>", ["0.1", "1.0E-3"], list(struct.unpack("<2f", struct.pack("<2f", 0.1, 1e-3)))),
        ("Float64", None, None),
        ("Array<Int64>", None, None),
    ],
)
def test_the_loaders_text_parses_exactly(dtype: str, text: Any, value: object) -> None:
    assert bits(parse_text(parse_type(dtype), text)) == bits(value)


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
def test_the_shortest_text_of_a_float_parses_back(double: float, single: float) -> None:
    assert bits(parse_text(parse_type("Float64"), repr(double))) == bits(double)
    assert bits(parse_text(parse_type("Embedding<1>"), [repr(single)])) == bits([single])


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        ("Int64", "1.0"),
        ("Int64", str(2**63)),
        ("Int64", 1),
        ("Float64", "one"),
        ("Bool", "True"),
        ("Timestamp", "2026-01-01"),
        ("Timestamp", str(10**18)),
        ("Date", "2026-02-30"),
        ("Array<Int64>", "1"),
        ("Array<String>", [None]),
        ("Embedding<2>", ["1"]),
    ],
)
def test_text_that_does_not_parse_is_named(dtype: str, text: Any) -> None:
    with pytest.raises(RequestError, match=f"is not a value of type {dtype}"):
        parse_text(parse_type(dtype), text)


@pytest.mark.parametrize(
    ("dtype", "default", "value"),
    [
        ("Int64", 3, 3),
        ("Float64", 0, 0.0),
        ("Float64", "NaN", math.nan),
        ("Bool", False, False),
        ("String", "", ""),
        ("Timestamp", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=timezone.utc)),
        ("Date", "2026-01-31", date(2026, 1, 31)),
        ("Array<Float64>", [1, 2.5], [1.0, 2.5]),
        ("Embedding<2>", [0, "inf"], [0.0, math.inf]),
        ("Int64", None, None),
    ],
)
def test_a_default_is_read_from_its_json(dtype: str, default: Any, value: object) -> None:
    assert bits(default_value(Feature("f", dtype, default))) == bits(value)


def test_a_default_that_does_not_fit_is_named() -> None:
    with pytest.raises(RequestError, match="'x' is not a value of type Int64"):
        default_value(Feature("f", "Int64", "x"))

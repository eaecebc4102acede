"""Trino's documented results of functions and casts, asked of the local Athena."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.moto.local.conftest import Asker

DOCUMENTED = [
    # Integer division and remainder truncate towards zero.
    ("7 / 2", "3"),
    ("-7 / 2", "-3"),
    ("-7 % 2", "-1"),
    ("7 / CAST(2 AS double)", "3.5"),
    ("CAST(1 AS double) / 0", "Infinity"),
    ("sum_of / rows_of", "2"),
    # Casts.
    ("CAST(2.5e0 AS bigint)", "3"),
    ("CAST(-2.5e0 AS bigint)", "-3"),
    ("CAST('12' AS bigint)", "12"),
    ("TRY_CAST('2.5' AS bigint)", None),
    ("TRY_CAST('x' AS bigint)", None),
    ("CAST(9007199254740993 AS bigint)", "9007199254740993"),
    ("CAST(1e0 AS varchar)", "1.0"),
    ("CAST(1e10 AS varchar)", "1.0E10"),
    ("CAST(true AS varchar)", "true"),
    ("CAST('abcdef' AS varchar(3))", "abc"),
    ("CAST(TIMESTAMP '2020-01-02 03:04:05' AS varchar)", "2020-01-02 03:04:05.000"),
    ("CAST('2020-01-02 03:04:05.0006' AS timestamp)", "2020-01-02 03:04:05.001"),
    ("CAST('2020-01-02 03:04:05.0004' AS timestamp(3))", "2020-01-02 03:04:05.000"),
    ("CAST(DATE '2020-01-02' AS timestamp)", "2020-01-02 00:00:00.000"),
    ("CAST(ARRAY[1e0, 2.5e0] AS array(varchar))", "[1.0, 2.5]"),
    ("CAST(ROW(1, 'a') AS row(x bigint, y varchar)).y", "a"),
    ("ROW(1, 'a')[2]", "a"),
    # Time.
    ("date_diff('hour', TIMESTAMP '2020-01-01 00:59:00', TIMESTAMP '2020-01-01 01:01:00')", "0"),
    ("date_diff('day', DATE '2020-03-01', DATE '2020-03-03')", "2"),
    ("date_diff('millisecond', TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-01-01 00:00:00.123')", "123"),
    ("date_add('day', 1, DATE '2020-02-28')", "2020-02-29"),
    ("date_add('millisecond', 1577836800123, TIMESTAMP '1970-01-01 00:00:00')", "2020-01-01 00:00:00.123"),
    ("DATE '2020-02-28' + INTERVAL '2' DAY", "2020-03-01"),
    ("TIMESTAMP '2020-01-01 00:00:00' - INTERVAL '1' MILLISECOND", "2019-12-31 23:59:59.999"),
    ("date_trunc('month', DATE '2020-02-28')", "2020-02-01"),
    ("date_trunc('week', TIMESTAMP '2020-02-28 12:00:00')", "2020-02-24 00:00:00.000"),
    ("date_trunc('month', max_of)", "2020-02-01"),
    ("from_unixtime(1.5e0)", "1970-01-01 00:00:01.500 UTC"),
    ("to_unixtime(TIMESTAMP '2020-01-01 00:00:00.123')", "1.577836800123E9"),
    ("CAST(to_unixtime(TIMESTAMP '2020-01-01 00:00:00.123') * 1000 AS bigint)", "1577836800123"),
    ("to_milliseconds(INTERVAL '1' HOUR)", "3600000"),
    (
        "to_milliseconds(TIMESTAMP '2020-01-02 00:00:00.001' - TIMESTAMP '2020-01-01 00:00:00')",
        "86400001",
    ),
    ("CAST(from_unixtime(1.5e0) AS timestamp)", "1970-01-01 00:00:01.500"),
    ("CAST(TIMESTAMP '2020-01-01 00:00:00' AT TIME ZONE 'UTC' AS timestamp)", "2020-01-01 00:00:00.000"),
    (
        "CAST(with_timezone(TIMESTAMP '2020-01-01 00:00:00', 'America/New_York') AT TIME ZONE 'UTC' AS timestamp)",
        "2020-01-01 05:00:00.000",
    ),
    ("from_iso8601_timestamp('2020-01-01T00:00:00Z')", "2020-01-01 00:00:00.000 UTC"),
    ("to_iso8601(TIMESTAMP '2020-01-01 00:00:00.5')", "2020-01-01T00:00:00.500"),
    ("date_format(TIMESTAMP '2020-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')", "2020-01-02 03:04:05"),
    ("date_parse('2020-01-02 03', '%Y-%m-%d %H')", "2020-01-02 03:00:00.000"),
    ("date(TIMESTAMP '2020-01-02 03:04:05')", "2020-01-02"),
    ("day_of_week(DATE '2020-03-01')", "7"),
    ("hour(TIMESTAMP '2020-01-02 03:04:05')", "3"),
    # Text.
    ("starts_with('run-1', 'run')", "true"),
    ("concat('a', NULL)", None),
    ("regexp_replace('aaa', 'a', 'b')", "bbb"),
    ("regexp_extract('abc', 'x')", None),
    ("regexp_extract('a1b2', '([a-z])(\\d)', 2)", "1"),
    ("format('%s is %d', 'x', 3)", "x is 3"),
    ("split('a,b', ',')", "[a, b]"),
    ("codepoint('a')", "97"),
    ("to_hex(md5(to_utf8('a')))", "0CC175B9C0F1B6A831C399E269772661"),
    ("from_utf8(to_utf8('ä'))", "ä"),
    ("greatest(1, NULL)", None),
    # Arrays.
    ("cardinality(ARRAY[1, 2])", "2"),
    ("transform(ARRAY[1, 2], x -> x * 2)", "[2, 4]"),
    ("transform(ARRAY[1e7], x -> CAST(x AS varchar))", "[1.0E7]"),
    ("filter(ARRAY[1, 2, 3], x -> x > 1)", "[2, 3]"),
    ("reduce(ARRAY[1, 2], 10, (s, x) -> s + x, s -> s * 2)", "26"),
    ("slice(ARRAY[1, 2, 3, 4], 2, 2)", "[2, 3]"),
    ("slice(ARRAY[1, 2, 3, 4], -2, 2)", "[3, 4]"),
    ("element_at(ARRAY[1], 2)", None),
    ("sequence(1, 3)", "[1, 2, 3]"),
    ("any_match(ARRAY[1, 2], x -> x > 1)", "true"),
    ("none_match(ARRAY[1, 2], x -> x > 2)", "true"),
    ("all_match(ARRAY[1, 2], x -> x > 1)", "false"),
    ("array_join(ARRAY['a', 'b'], '-')", "a-b"),
    ("arrays_overlap(ARRAY[1], ARRAY[1, 2])", "true"),
    ("array_remove(ARRAY[1, 2, 1], 1)", "[2]"),
    ("array_except(ARRAY[1, 2], ARRAY[2])", "[1]"),
    ("cardinality(array_union(ARRAY[1, 2], ARRAY[2, 3]))", "3"),
    # Floating point.
    ("infinity()", "Infinity"),
    ("nan()", "NaN"),
    ("is_nan(nan())", "true"),
    ("is_finite(1e0)", "true"),
    ("is_infinite(-infinity())", "true"),
    ("from_unixtime_nanos(1500000000)", "1970-01-01 00:00:01.500 UTC"),
    ("TRY(1 / 0)", None),
]


@pytest.mark.parametrize(("expression", "expected"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
def test_expressions_give_what_trino_documents(ask: Asker, expression: str, expected: str | None) -> None:
    """Each expression's text, as Athena would show it."""
    values = "(VALUES (1, DATE '2020-02-03'), (2, DATE '2020-02-28'), (3, NULL)) AS t(n, d)"
    given_rows = f"SELECT sum(n) AS sum_of, count(*) AS rows_of, max(d) AS max_of FROM {values}"
    assert ask.rows(f"SELECT {expression} AS x FROM ({given_rows})") == [[expected]]


def test_max_by_keeps_a_null_of_the_chosen_row(ask: Asker) -> None:
    """The value beside the greatest order is the answer, even where it is NULL."""
    rows = "(VALUES (CAST(NULL AS bigint), 2), (1, 1)) AS t(a, b)"
    assert ask.rows(f"SELECT max_by(a, b), min_by(a, b) FROM {rows}") == [[None, "1"]]
    assert ask.rows(f"SELECT max_by(a, b) OVER (ORDER BY b) FROM {rows} ORDER BY b") == [["1"], [None]]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_nulls_sort_last_in_either_direction(ask: Asker, direction: str) -> None:
    """Trino's default, for ORDER BY and in windows."""
    rows = ask.rows(f"SELECT n FROM (VALUES 1, NULL) AS t(n) ORDER BY n {direction}")
    assert rows == [["1"], [None]]
    ranked = ask.rows(f"SELECT n, row_number() OVER (ORDER BY n {direction}) FROM (VALUES NULL, 1) AS t(n) ORDER BY 2")
    assert ranked == [["1", "1"], [None, "2"]]


def test_range_frames_count_in_integers(ask: Asker) -> None:
    """The frame the window queries use."""
    rows = ask.rows(
        "SELECT ms, sum(v) OVER (ORDER BY ms RANGE BETWEEN 9 PRECEDING AND CURRENT ROW) AS s "
        "FROM (VALUES (BIGINT '0', 1), (9, 2), (10, 4)) AS t(ms, v) ORDER BY ms"
    )
    assert rows == [["0", "1"], ["9", "3"], ["10", "6"]]


def test_last_value_can_ignore_nulls(ask: Asker) -> None:
    """Trino's spelling, with the clause behind the call."""
    rows = ask.rows(
        "SELECT last_value(v) IGNORE NULLS OVER (ORDER BY n) FROM (VALUES (1, 'a'), (2, NULL)) AS t(n, v) ORDER BY n"
    )
    assert rows == [["a"], ["a"]]


def test_unnest_of_a_sequence_and_with_ordinality(ask: Asker) -> None:
    """The two forms of UNNEST in use."""
    assert ask.rows("SELECT n FROM UNNEST(sequence(1, 2)) AS t(n) ORDER BY n") == [["1"], ["2"]]
    rows = (
        "SELECT k, x, i FROM (VALUES ('a', ARRAY[5, 6])) AS t(k, xs) CROSS JOIN UNNEST(xs) WITH ORDINALITY AS u(x, i)"
    )
    assert ask.rows(f"{rows} ORDER BY i") == [["a", "5", "1"], ["a", "6", "2"]]


def test_grouping_by_an_expression_that_is_rewritten(ask: Asker) -> None:
    """The same expression in SELECT and GROUP BY stays the same."""
    rows = ask.rows(
        "SELECT date_trunc('month', d), count(*) FROM (VALUES DATE '2020-01-02', DATE '2020-01-03') AS t(d) "
        "GROUP BY date_trunc('month', d)"
    )
    assert rows == [["2020-01-01", "2"]]


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1 / 0", "DIVISION_BY_ZERO"),
        ("CAST('x' AS bigint)", "INVALID"),
        ("CAST('2.5' AS bigint)", "INVALID"),
        ("2147483647 * 2", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("no_such_function(1)", "FUNCTION_NOT_FOUND"),
        ("nope", "COLUMN_NOT_FOUND"),
        ("parse_datetime('2020', 'yyyy')", "NOT_SUPPORTED"),
        ("typeof(1)", "NOT_SUPPORTED"),
        ("CAST('1' AS json)", "NOT_SUPPORTED"),
        ("TIMESTAMP '2020-01-01 00:00:00' AT TIME ZONE 'Asia/Tokyo'", "NOT_SUPPORTED"),
    ],
)
def test_what_trino_refuses_fails_and_what_is_missing_is_named(ask: Asker, expression: str, code: str) -> None:
    """No expression gets an answer that Trino would not give."""
    assert ask.reason(f"SELECT {expression} AS x").startswith(code)


def java_text(value: float) -> str:
    """``Double.toString`` in plain Python: repr's shortest digits in Java's layout."""
    if math.isnan(value):
        return "NaN"
    sign = "-" if math.copysign(1, value) < 0 else ""
    if math.isinf(value):
        return f"{sign}Infinity"
    digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()[1:]
    text, power = "".join(map(str, digits)), len(digits) + int(exponent) - 1
    if value == 0:
        return f"{sign}0.0"
    if 0 <= power < 7:
        return f"{sign}{text[: power + 1].ljust(power + 1, '0')}.{text[power + 1 :] or '0'}"
    if -3 <= power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{text}"
    return f"{sign}{text[0]}.{text[1:] or '0'}E{power}"


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.floats(width=64), min_size=200, max_size=300))
def test_doubles_as_text_are_javas(ask: Asker, values: list[float]) -> None:
    """Against an implementation of Java's rule in plain Python."""
    special = {"nan": "nan()", "inf": "infinity()", "-inf": "-infinity()"}
    texts = ", ".join(
        f"({number}, CAST('{value!r}' AS double))"
        if repr(value) not in special
        else f"({number}, {special[repr(value)]})"
        for number, value in enumerate(values)
    )
    rows = ask.rows(f"SELECT CAST(x AS varchar), x FROM (VALUES {texts}) AS t(n, x) ORDER BY n")
    assert rows == [[java_text(value), java_text(value)] for value in values]


@settings(max_examples=5, deadline=None)
@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=100, max_size=200))
def test_reals_as_text_read_back(ask: Asker, values: list[float]) -> None:
    """32 bits survive as text, in either layout."""
    texts = ", ".join(f"({number}, CAST('{value!r}' AS real))" for number, value in enumerate(values))
    rows = ask.rows(f"SELECT CAST(x AS varchar) FROM (VALUES {texts}) AS t(n, x) ORDER BY n")
    assert [struct.unpack("f", struct.pack("f", float(str(text))))[0] for (text,) in rows] == values

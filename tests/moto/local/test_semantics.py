"""Trino's documented results of functions and casts, asked of the local Athena."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.moto.local.conftest import Asker
from tests.support.trino_documented import DOCUMENTED, GIVEN_ROWS


@pytest.mark.parametrize(("expression", "expected"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
def test_expressions_give_what_trino_documents(ask: Asker, expression: str, expected: str | None) -> None:
    """Each expression's text, as Athena would show it."""
    assert ask.rows(f"SELECT {expression} AS x FROM ({GIVEN_ROWS})") == [[expected]]


@pytest.mark.parametrize("amount", ["2147483648", "-2147483649", "rows_of * 1577836800123"])
@pytest.mark.parametrize("unit", ["millisecond", "second", "day"])
def test_date_add_takes_32_bits(ask: Asker, amount: str, unit: str) -> None:
    """Of any unit and of a bigint as well: beyond, Trino fails."""
    sql = f"SELECT date_add('{unit}', {amount}, TIMESTAMP '1970-01-01 00:00:00') FROM (VALUES 1) AS t(rows_of)"
    assert "INVALID_FUNCTION_ARGUMENT" in ask.reason(sql)


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
    if not math.isfinite(value) or value == 0:
        return unusual(value, zero="0.0")
    sign, text, power = parts(value)
    if 0 <= power < 7:
        return f"{sign}{text[: power + 1].ljust(power + 1, '0')}.{text[power + 1 :] or '0'}"
    if -3 <= power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{text}"
    return f"{sign}{text[0]}.{text[1:] or '0'}E{power}"


def cast_text(value: float) -> str:
    """What Trino's casts of doubles follow: the SQL standard's scientific layout."""
    if not math.isfinite(value) or value == 0:
        return unusual(value, zero="0E0")
    sign, text, power = parts(value)
    return f"{sign}{text[0]}.{text[1:] or '0'}E{power}"


def unusual(value: float, *, zero: str) -> str:
    """The text of NaN, an infinity, or a zero."""
    sign = "-" if math.copysign(1, value) < 0 else ""
    return "NaN" if math.isnan(value) else f"{sign}Infinity" if math.isinf(value) else f"{sign}{zero}"


def parts(value: float) -> tuple[str, str, int]:
    """Sign, repr's shortest digits, and the power of ten of the first of them."""
    digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()[1:]
    return "-" if value < 0 else "", "".join(map(str, digits)), len(digits) + int(exponent) - 1


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.floats(width=64), min_size=200, max_size=300))
def test_doubles_as_text(ask: Asker, values: list[float]) -> None:
    """Casts and results, against implementations of both rules in plain Python."""
    special = {"nan": "nan()", "inf": "infinity()", "-inf": "-infinity()"}
    texts = ", ".join(
        f"({number}, CAST('{value!r}' AS double))"
        if repr(value) not in special
        else f"({number}, {special[repr(value)]})"
        for number, value in enumerate(values)
    )
    rows = ask.rows(f"SELECT CAST(x AS varchar), x FROM (VALUES {texts}) AS t(n, x) ORDER BY n")
    assert rows == [[cast_text(value), java_text(value)] for value in values]


@settings(max_examples=5, deadline=None)
@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=100, max_size=200))
def test_reals_as_text(ask: Asker, values: list[float]) -> None:
    """32 bits survive in results and by way of a double; a cast keeps seven digits, which lose the last of them."""
    texts = ", ".join(f"({number}, CAST('{value!r}' AS real))" for number, value in enumerate(values))
    columns = "x, CAST(CAST(x AS double) AS varchar), CAST(x AS varchar)"
    rows = ask.rows(f"SELECT {columns} FROM (VALUES {texts}) AS t(n, x) ORDER BY n")
    assert [struct.unpack("f", struct.pack("f", float(str(shown))))[0] for shown, _, _ in rows] == values
    assert [float(str(doubled)) for _, doubled, _ in rows] == values
    assert [float(str(cast)) for _, _, cast in rows] == [float(f"{value:.6e}") for value in values]

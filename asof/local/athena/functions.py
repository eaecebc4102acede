"""Trino functions as DuckDB macros: everything that sqlglot leaves as it is and DuckDB lacks or computes differently.

Macros whose result has one type look at ``typeof`` (a constant once bound, so the other branches cost nothing); those
whose result follows their argument are overloaded. A macro must not have the name of a DuckDB function that means
something else, for DuckDB uses its own functions by name. A test checks each against Trino's documented result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MACROS: Final = r"""
-- What a number's shortest text says: sign, digits without zeros around them, and the power of ten of the first one.
-- list_transform over a list of one is a let: macros repeat their argument, and these would do so hundreds of times.
CREATE MACRO trino_digits(x) AS
list_transform(list_transform([x],
    lambda s: {'sign': CASE WHEN s[1] = '-' THEN '-' ELSE '' END,
               'mantissa': split_part(ltrim(s, '-'), 'e', 1),
               'power': coalesce(try_cast(nullif(split_part(s, 'e', 2), '') AS BIGINT), 0)}),
    lambda r: {'sign': r.sign,
               'digits': trim(replace(r.mantissa, '.', ''), '0'),
               'power': r.power + length(split_part(r.mantissa, '.', 1)) - 1 - length(replace(r.mantissa, '.', ''))
                        + length(ltrim(replace(r.mantissa, '.', ''), '0'))})[1];

-- Java's Double.toString and Float.toString, which Athena's CSV follows: plain from 1e-3 up to 1e7, else d.dddE±n.
-- DuckDB gives the same shortest digits with another layout.
CREATE MACRO trino_layout(x) AS
list_transform([trino_digits(x)],
    lambda r: r.sign || CASE
        WHEN r.digits = '' THEN '0.0'
        WHEN r.power BETWEEN 0 AND 6 THEN rpad(r.digits[:r.power + 1], CAST(r.power + 1 AS INTEGER), '0')
            || '.' || coalesce(nullif(r.digits[r.power + 2:], ''), '0')
        WHEN r.power BETWEEN -3 AND -1 THEN '0.' || repeat('0', -r.power - 1) || r.digits
        ELSE r.digits[1] || '.' || coalesce(nullif(r.digits[2:], ''), '0') || 'E' || r.power END)[1];

-- The SQL standard's text of an approximate number, which casts follow: always d.dddE±n, and 0E0.
CREATE MACRO trino_scientific(x) AS
list_transform([trino_digits(x)],
    lambda r: r.sign || CASE
        WHEN r.digits = '' THEN '0E0'
        ELSE r.digits[1] || '.' || coalesce(nullif(r.digits[2:], ''), '0') || 'E' || r.power END)[1];

CREATE MACRO trino_unusual(x) AS CASE CAST(x AS VARCHAR)
    WHEN 'nan' THEN 'NaN' WHEN '-nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity' END;

CREATE MACRO trino_number(x) AS coalesce(trino_unusual(x), trino_layout(CAST(x AS VARCHAR)));

CREATE MACRO trino_moment(t) AS strftime(t, '%Y-%m-%d %H:%M:%S.%g');

CREATE MACRO trino_varchar(x) AS CASE typeof(x)
    WHEN 'DOUBLE' THEN coalesce(trino_unusual(x), trino_scientific(CAST(x AS VARCHAR)))
    -- Of a real, seven digits.
    WHEN 'FLOAT' THEN coalesce(trino_unusual(x), trino_scientific(format('{:.6e}', TRY_CAST(x AS DOUBLE))))
    WHEN 'TIMESTAMP' THEN trino_moment(TRY_CAST(x AS TIMESTAMP))
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN trino_moment(TRY_CAST(x AS TIMESTAMP)) || ' UTC'
    ELSE CAST(x AS VARCHAR) END;

-- Casts to integers: halves round away from zero, and text must be an integer as it stands.
CREATE MACRO trino_integer_text(x) AS regexp_full_match(CAST(x AS VARCHAR), '[+-]?[0-9]+');

CREATE MACRO trino_bigint(x) AS CASE
    WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT)
    WHEN typeof(x) = 'VARCHAR' AND NOT trino_integer_text(x)
    THEN CAST(error('Cannot cast ''' || CAST(x AS VARCHAR) || ''' to BIGINT') AS BIGINT)
    ELSE CAST(x AS BIGINT) END;

CREATE MACRO trino_try_bigint(x) AS CASE
    WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN TRY_CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT)
    WHEN typeof(x) = 'VARCHAR' AND NOT trino_integer_text(x) THEN NULL
    ELSE TRY_CAST(x AS BIGINT) END;

-- timestamp is timestamp(3): finer parts are rounded to the nearest millisecond, halves up.
CREATE MACRO trino_round_us(us) AS us + 500 - ((us + 500) % 1000 + 1000) % 1000;
CREATE MACRO trino_timestamp(x) AS make_timestamp(trino_round_us(epoch_us(CAST(x AS TIMESTAMP))));
CREATE MACRO trino_from_unixtime(x) AS
    make_timestamp(CAST(round(CAST(x AS DOUBLE) * 1000) AS BIGINT) * 1000) AT TIME ZONE 'UTC';
-- Not to_milliseconds: that is what DuckDB turns INTERVAL literals of milliseconds into.
CREATE MACRO trino_to_milliseconds(i) AS CAST(round(epoch(i) * 1000) AS BIGINT);
CREATE MACRO from_unixtime_nanos(n) AS make_timestamp(CAST(n // 1000 AS BIGINT)) AT TIME ZONE 'UTC';
CREATE MACRO to_iso8601(x) AS CASE typeof(x)
    WHEN 'DATE' THEN CAST(x AS VARCHAR)
    WHEN 'TIMESTAMP' THEN strftime(TRY_CAST(x AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%g')
    ELSE strftime(TRY_CAST(x AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ') END;

CREATE MACRO trino_32_bits(n) AS CASE
    WHEN n NOT BETWEEN -2147483648 AND 2147483647 THEN CAST(error('integer overflow') AS BIGINT) ELSE n END;

-- What follows the type of its argument: a date plus days is a date, and so is a truncated date.
CREATE MACRO trino_plus
    (x DATE, i INTERVAL) AS CAST(x + i AS DATE),
    (x TIMESTAMP, i INTERVAL) AS x + i,
    (x TIMESTAMPTZ, i INTERVAL) AS x + i,
    (x INTERVAL, i INTERVAL) AS x + i;
CREATE MACRO trino_date_trunc
    (u VARCHAR, x DATE) AS CAST(date_trunc(u, x) AS DATE),
    (u VARCHAR, x TIMESTAMP) AS date_trunc(u, x),
    (u VARCHAR, x TIMESTAMPTZ) AS date_trunc(u, x);

CREATE MACRO trino_regexp_extract(s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END;

CREATE MACRO trino_slice(a, start, n) AS CASE
    WHEN start > 0 THEN list_slice(a, start, start + n - 1)
    ELSE list_slice(a, len(a) + start + 1, least(len(a), len(a) + start + n)) END;
CREATE MACRO arrays_overlap(a, b) AS list_has_any(a, b);
CREATE MACRO array_union(a, b) AS list_distinct(list_concat(a, b));
CREATE MACRO array_except(a, b) AS list_distinct(list_filter(a, lambda x: NOT list_contains(b, x)));
CREATE MACRO array_remove(a, v) AS list_filter(a, lambda x: x <> v);

CREATE MACRO infinity() AS CAST('inf' AS DOUBLE);
CREATE MACRO nan() AS CAST('nan' AS DOUBLE);
CREATE MACRO is_finite(x) AS isfinite(x);
CREATE MACRO is_infinite(x) AS isinf(x);
CREATE MACRO codepoint(s) AS unicode(s);
CREATE MACRO from_utf8(b) AS decode(b);
"""


_INTEGERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_FRACTIONS: Final = ("FLOAT", "DOUBLE", "DECIMAL")


def _divide() -> str:
    """Integers divide to integers, anything else as IEEE says; every pair of types is spelled, so none is converted."""
    kinds = (*_INTEGERS, *_FRACTIONS)
    overloads = (
        f"(a {left}, b {right}) AS a {'//' if left in _INTEGERS and right in _INTEGERS else '/'} b"
        for left in kinds
        for right in kinds
    )
    return f"CREATE MACRO trino_divide {', '.join(overloads)}"


def install(connection: DuckDBPyConnection) -> None:
    """Define the macros in a fresh database; every cursor of it sees them."""
    connection.execute(MACROS)
    connection.execute(_divide())

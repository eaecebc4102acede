"""Expressions and what Trino documents of them, as Athena shows it; and what Trino refuses though DuckDB would not."""

from __future__ import annotations

GIVEN_ROWS = (
    "SELECT sum(n) AS sum_of, count(*) AS rows_of, max(d) AS max_of "
    "FROM (VALUES (1, DATE '2020-02-03'), (2, DATE '2020-02-28'), (3, NULL)) AS t(n, d)"
)
"""What the expressions are asked over."""

DOCUMENTED: list[tuple[str, str | None]] = [
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
    ("CAST(1e0 AS varchar)", "1.0E0"),
    ("CAST(-58.125e0 AS varchar)", "-5.8125E1"),
    ("CAST(0e0 AS varchar)", "0E0"),
    ("CAST(-0e0 AS varchar)", "-0E0"),
    ("CAST(1 / 3e0 AS varchar)", "3.333333333333333E-1"),
    ("CAST(0.1e0 + 0.2e0 AS varchar)", "3.0000000000000004E-1"),
    ("CAST(nan() AS varchar)", "NaN"),
    ("CAST(-infinity() AS varchar)", "-Infinity"),
    ("CAST(REAL '0.1' AS varchar)", "1.0E-1"),
    ("CAST(REAL '16777216' AS varchar)", "1.677722E7"),
    ("CAST(CAST(1 AS real) / 3 AS varchar)", "3.333333E-1"),
    ("CAST(CAST(REAL '0.1' AS double) AS varchar)", "1.0000000149011612E-1"),
    ("CAST(1e10 AS varchar)", "1.0E10"),
    ("CAST(true AS varchar)", "true"),
    ("CAST('abcdef' AS varchar(3))", "abc"),
    ("CAST(TIMESTAMP '2020-01-02 03:04:05.000' AS varchar)", "2020-01-02 03:04:05.000"),
    ("CAST('2020-01-02 03:04:05.0006' AS timestamp)", "2020-01-02 03:04:05.001"),
    ("CAST('2020-01-02 03:04:05.0004' AS timestamp(3))", "2020-01-02 03:04:05.000"),
    ("CAST(DATE '2020-01-02' AS timestamp)", "2020-01-02 00:00:00.000"),
    ("CAST(ARRAY[1e0, 2.5e0] AS array(varchar))", "[1.0E0, 2.5E0]"),
    ("CAST(ROW(1, 'a') AS row(x bigint, y varchar)).y", "a"),
    ("ROW(1, 'a')[2]", "a"),
    # Time.
    ("date_diff('hour', TIMESTAMP '2020-01-01 00:59:00', TIMESTAMP '2020-01-01 01:01:00')", "0"),
    ("date_diff('day', DATE '2020-03-01', DATE '2020-03-03')", "2"),
    ("date_diff('millisecond', TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-01-01 00:00:00.123')", "123"),
    ("date_add('day', 1, DATE '2020-02-28')", "2020-02-29"),
    ("date_add('millisecond', 2147483647, TIMESTAMP '1970-01-01 00:00:00.000')", "1970-01-25 20:31:23.647"),
    ("date_add('millisecond', NULL, TIMESTAMP '1970-01-01 00:00:00.000')", None),
    ("DATE '2020-02-28' + INTERVAL '2' DAY", "2020-03-01"),
    ("TIMESTAMP '2020-01-01 00:00:00' - INTERVAL '0.001' SECOND", "2019-12-31 23:59:59.999"),
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
    ("to_iso8601(TIMESTAMP '2020-01-01 00:00:00.500')", "2020-01-01T00:00:00.500"),
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

OTHER_PRECISIONS = (
    "CAST(TIMESTAMP '2020-01-02 03:04:05' AS varchar)",
    "to_iso8601(TIMESTAMP '2020-01-01 00:00:00.5')",
    "date_add('millisecond', 600, TIMESTAMP '1970-01-01 00:00:00')",
)
"""To Trino a literal has as many digits of a second as it is written with; to the local Athena, three."""

A_TABLE = (
    "SELECT BIGINT '1' AS n, 'x' AS s, TIMESTAMP '2020-01-01 00:00:00' AS ts, DATE '2020-01-01' AS d, true AS o, "
    "'2020-01-01' AS event_date"
)
"""A row with a column of each kind."""

UNKNOWN_FUNCTIONS = (
    "strftime(ts, '%Y')",
    "epoch_ms(1)",
    "list_sort(ARRAY[1])",
    "arg_max(n, n)",
    "nvl(n, 1)",
    "datediff('day', d, d)",
)
MISUSED_ALIASES = (
    "SELECT n AS a, a + 1 AS b FROM {}",
    "SELECT n AS a FROM {} WHERE a > 0",
    "SELECT n AS a, count(*) AS c FROM {} GROUP BY a",
    "SELECT count(*) AS c FROM {} HAVING c > 0",
    "WITH q AS (SELECT n FROM {}) SELECT n AS a FROM q WHERE a > 0",
)
MIXED_COMPARISONS = (
    "event_date >= DATE '2020-01-01'",
    "ts > '2020-01-01'",
    "n = '1'",
    "n IN ('1')",
    "d BETWEEN '2020-01-01' AND '2020-01-02'",
    "o = 'true'",
    "CAST(n AS varchar) = n",
)
LET_THROUGH = (
    "SELECT n AS a FROM {} ORDER BY a",
    "SELECT n AS s, s AS n FROM {}",
    "SELECT n, count(*) FROM {} GROUP BY 1",
    "WITH q(a, b) AS (SELECT n, s FROM {}) SELECT a AS b, b AS a FROM q WHERE b = 'x'",
    "SELECT (SELECT max(b.n) FROM {0} AS b WHERE b.n = a.n) AS m FROM {0} AS a",
    "SELECT x AS y FROM {} CROSS JOIN UNNEST(ARRAY[n]) AS u (x)",
    "SELECT n FROM {} WHERE d = ts AND ts >= d AND n > 0.5 AND s < 'y' AND event_date <= '2020-01-01'",
    "SELECT n FROM {} WHERE date_trunc('day', ts) = ts AND CAST(event_date AS date) = d",
    "SELECT n FROM {} WHERE to_unixtime(ts) * 1000 > n AND CAST(to_unixtime(ts) * 1000 AS bigint) > n",
    "SELECT count(*) FILTER (WHERE n > 0), listagg(s, ',') WITHIN GROUP (ORDER BY n) FROM {}",
)
"""Statements over a table like ``A_TABLE`` that both run."""

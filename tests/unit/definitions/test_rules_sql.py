"""The SQL in definitions: what is refused, because an interval's rows would depend on more than themselves."""

from __future__ import annotations

import pytest

from asof.definitions import Field, Int64, String
from asof.definitions.sql_text import canonical, parse_condition, parse_select
from tests.support.definitions import compiled, complaints, departures, passthrough, selected

SOUND = "SELECT origin, departed_at, dep_delay > 15 AS late FROM departures"


@pytest.mark.parametrize(
    "where",
    [
        "dep_delay > 15",
        "cancelled",
        "NOT cancelled AND (dest IN ('LAX', 'SFO') OR distance BETWEEN 1 AND 2.5)",
        "dep_delay IS NOT NULL",
        "dest LIKE 'S%' AND substr(origin, 1, 1) = 'J'",
        "date_diff('hour', TIMESTAMP '2013-01-01 00:00:00', departed_at) > 3",
        "regexp_like(dest, '^[A-Z]{3}$')",
        "coalesce(dep_delay, 0) > 0",
        "CASE WHEN cancelled THEN false ELSE true END",
        "dest = 'a:b -- c'",
        "any_match(vector, x -> x > 1)",
        "DEP_DELAY > 15",
    ],
)
def test_filters_that_judge_each_row_by_itself_are_taken(where: str) -> None:
    assert complaints(passthrough(where=where)) == []


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("dep_delay >", "is not one Athena SQL expression"),
        ("", "is not one Athena SQL expression"),
        ("1 = 1) OR (2 = 2", "is not one Athena SQL expression"),
        ("dep_delay > 1; DROP TABLE x", "is not one Athena SQL expression"),
        ("SELECT 1", "is not one Athena SQL expression"),
        ("dep_dely > 1", "reads 'dep_dely', which source 'departures' does not declare"),
        ("dep_delay", 'is not true or false: "dep_delay" is a value'),
        ("cancelled AND 1", "is not true or false: 1 is a value"),
        ("dep_delay + 1", 'is not true or false: "dep_delay" + 1 is a value'),
        ("sum(dep_delay) > 1", 'must not aggregate: SUM("dep_delay")'),
        ("row_number() OVER (ORDER BY dep_delay) = 1", "must not have a window function"),
        ("dest IN (SELECT dest FROM x)", "must not have a subquery"),
        ("EXISTS (SELECT 1)", "must not have a subquery"),
        ("departed_at > now()", "must not use CURRENT_TIMESTAMP"),
        ("departed_at > current_date", "must not use CURRENT_DATE"),
        ("random() < 0.5", "must not use RAND()"),
        ("dep_delay > :limit", "must not have a parameter: :limit"),
        ("dep_delay > ?", "must not have a parameter: ?"),
        ("departures.dep_delay > 1", 'reads "departures"."dep_delay"'),
    ],
)
def test_filters_that_cannot_be(where: str, what: str) -> None:
    whats = complaints(passthrough(where=where))
    assert any(what in each for each in whats), whats


@pytest.mark.parametrize(
    "sql",
    [
        SOUND,
        "select d.origin, d.departed_at, d.dep_delay > 15 as late from departures as d where not d.cancelled",
        "SELECT upper(origin) AS origin, departed_at AS departed_at, true AS late FROM departures",
    ],
)
def test_selects_over_the_source_row_by_row_are_taken(sql: str) -> None:
    assert complaints(selected(sql)) == []


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT", "sql must read its source by name"),
        ("not sql at all", "sql "),
        (f"{SOUND}; SELECT 1", "sql must be one SELECT statement"),
        (f"{SOUND} UNION ALL {SOUND}", "sql must be one SELECT statement"),
        ("DELETE FROM departures", "sql must be one SELECT statement"),
        (f"WITH x AS (SELECT 1) {SOUND}", "sql must not have WITH"),
        (SOUND.replace("FROM departures", "FROM arrivals"), "sql must read its source by name: FROM departures"),
        (SOUND.replace("FROM departures", "FROM nyc.departures"), "sql must read its source by name"),
        ("SELECT 1 AS late", "sql must read its source by name"),
        (f"{SOUND} JOIN planes ON true", "sql must not have JOIN"),
        (f"{SOUND} CROSS JOIN UNNEST(vector) AS t (x)", "sql must not have JOIN"),
        (f"{SOUND} GROUP BY origin", "sql must not have GROUP BY"),
        (f"{SOUND} ORDER BY origin", "sql must not have ORDER BY"),
        (f"{SOUND} LIMIT 5", "sql must not have LIMIT"),
        (SOUND.replace("SELECT", "SELECT DISTINCT"), "sql must not have DISTINCT"),
        (SOUND.replace("dep_delay > 15", "max(cancelled)"), "sql must not aggregate"),
        (SOUND.replace("dep_delay > 15", "lag(cancelled) OVER (ORDER BY dest)"), "sql must not have a window function"),
        (SOUND.replace("departed_at", "current_timestamp AS departed_at"), "sql must not use CURRENT_TIMESTAMP"),
        ("SELECT * FROM departures", "sql must not SELECT *"),
        (SOUND.replace(" AS late", ""), "a column of sql has no name"),
        (SOUND.replace("late", "origin"), "sql gives two columns 'origin'"),
        (SOUND.replace("origin, ", ""), "sql does not give column 'origin', a join key of entity 'airport'"),
        (SOUND.replace("departed_at, ", ""), "sql does not give column 'departed_at', the event time of the source"),
        (
            SOUND.replace("departed_at", "date_trunc('hour', departed_at) AS departed_at"),
            "sql gives another 'departed_at' than the source's",
        ),
        (SOUND.replace("late", "early"), "sql does not give column 'late', a feature of the schema"),
        (SOUND.replace("late", "late, dest"), "sql gives column 'dest', which is not a feature"),
        (SOUND.replace("dep_delay", "arr_delay"), "sql reads 'arr_delay', which source 'departures' does not declare"),
        (SOUND.replace("dep_delay", "planes.dep_delay"), 'sql reads "planes"."dep_delay"'),
    ],
)
def test_selects_that_cannot_be(sql: str, what: str) -> None:
    whats = complaints(selected(sql))
    assert any(what in each for each in whats), whats


def test_a_select_gives_the_created_time_where_the_source_has_one() -> None:
    source = departures(created_timestamp_column="seen_at")
    assert complaints(selected(SOUND, source=source)) == [
        "view 'chosen': sql does not give column 'seen_at', the created time of the source"
    ]
    assert complaints(selected(SOUND.replace("origin,", "origin, seen_at,"), source=source)) == []


def test_a_filter_beside_a_select_is_judged_too() -> None:
    assert len(complaints(selected(SOUND, where="nowhere"))) == 2


def test_a_select_may_make_the_keys() -> None:
    source = departures(schema={"code": String, "dep_delay": Int64})
    sql = "SELECT upper(code) AS origin, departed_at, dep_delay FROM departures"
    assert complaints(selected(sql, source=source, schema=[Field(name="dep_delay", dtype=Int64)])) == []


def test_sql_is_kept_in_one_form() -> None:
    (view,) = compiled(passthrough(where="NOT  Cancelled /* yet */ and dep_delay>15")).feature_views
    assert view.where == 'NOT "cancelled" AND "dep_delay" > 15'
    (view,) = compiled(selected("select ORIGIN, departed_at,\n dep_delay>15 late from departures -- all")).feature_views
    assert view.sql == 'SELECT "origin", "departed_at", "dep_delay" > 15 AS "late" FROM "departures"'


@pytest.mark.parametrize("where", ["dest = 'it''s'", "a > 1 AND NOT (b OR c)", "d < TIMESTAMP '2013-01-01 00:00:00'"])
def test_the_one_form_of_a_filter_is_its_own_form(where: str) -> None:
    once = canonical(parse_condition(where))
    assert canonical(parse_condition(once)) == once


def test_the_one_form_of_a_select_is_its_own_form() -> None:
    once = canonical(parse_select(SOUND))
    assert canonical(parse_select(once)) == once

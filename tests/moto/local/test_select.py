"""Queries and their results, as Athena lays them out."""

from __future__ import annotations

import csv
import io

import pytest

from tests.moto.local.conftest import Asker

ONE_OF_EACH = """
SELECT BIGINT '1' AS b, 2 AS i, CAST(3 AS smallint) AS s, CAST(4 AS tinyint) AS t, 1.5e0 AS d, CAST(1.5 AS real) AS r,
       'x' AS v, true AS o, DATE '2020-01-02' AS a, TIMESTAMP '2020-01-02 03:04:05.678' AS m,
       from_unixtime(0) AS z, DECIMAL '1.50' AS c, X'00FF' AS y, ARRAY[1, NULL] AS l,
       CAST(ROW(1, 'a') AS row(p bigint, q varchar)) AS w, MAP(ARRAY['k'], ARRAY[1]) AS k, NULL AS n
"""


def test_a_value_of_each_type_has_athenas_text(ask: Asker) -> None:
    """What GetQueryResults shows."""
    (texts,) = ask.rows(ONE_OF_EACH)
    assert texts[:9] == ["1", "2", "3", "4", "1.5", "1.5", "x", "true", "2020-01-02"]
    assert texts[9:11] == ["2020-01-02 03:04:05.678", "1970-01-01 00:00:00.000 UTC"]
    assert texts[11:] == ["1.50", "00 ff", "[1, null]", "{p=1, q=a}", "{k=1}", None]


def test_a_column_of_each_type_has_athenas_name_of_it(ask: Asker) -> None:
    """ColumnInfo, which awswrangler and drivers read."""
    execution = ask.done(ONE_OF_EACH)
    found = ask.session.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    described = found["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    types = [each["Type"] for each in described]
    assert types[:7] == ["bigint", "integer", "smallint", "tinyint", "double", "float", "varchar"]
    assert types[7:11] == ["boolean", "date", "timestamp", "timestamp with time zone"]
    assert types[11:] == ["decimal", "varbinary", "array", "row", "map", "unknown"]
    decimal = next(each for each in described if each["Name"] == "c")
    assert (decimal["Precision"], decimal["Scale"]) == (3, 2)


def test_the_result_object_is_quoted_csv_and_null_is_nothing(ask: Asker) -> None:
    """NULL and the empty string differ; quotes and line breaks survive."""
    execution = ask.done("SELECT 'a\"b' AS q, NULL AS n, '' AS e, 'x,\ny' AS l")
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert output == f"s3://{ask.environment.results_bucket}/{execution['QueryExecutionId']}.csv"
    text = ask.read(output).decode()
    assert text == '"q","n","e","l"\n"a""b",,"","x,\ny"\n'
    assert list(csv.reader(io.StringIO(text)))[1] == ['a"b', "", "", "x,\ny"]
    assert ask.page(execution["QueryExecutionId"])[1] == ['a"b', None, "", "x,\ny"]
    assert ask.read(f"{output}.metadata")


def test_results_come_in_pages(ask: Asker) -> None:
    """The header is the first row of the first page only."""
    execution = ask.done("SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n) ORDER BY n")
    pages = list(
        ask.session.client("athena")
        .get_paginator("get_query_results")
        .paginate(QueryExecutionId=execution["QueryExecutionId"])
    )
    values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    assert values == ["n", *(str(number) for number in range(1, 2501))]


def test_order_by_is_kept(ask: Asker) -> None:
    """Over more rows than one vector."""
    rows = ask.rows("SELECT n FROM UNNEST(sequence(1, 900)) AS t(n) ORDER BY n DESC")
    assert rows == [[str(number)] for number in range(900, 0, -1)]


def test_names_are_lower_case_unnamed_columns_are_numbered_and_duplicates_stay(ask: Asker) -> None:
    """As Trino names columns."""
    execution = ask.done("SELECT 1 AS Big, 2, 3 AS big")
    assert ask.page(execution["QueryExecutionId"]) == [["big", "_col1", "big"], ["1", "2", "3"]]


def test_an_empty_result_has_its_header(ask: Asker) -> None:
    """No rows, but columns."""
    execution = ask.done("SELECT 1 AS a WHERE false")
    assert ask.page(execution["QueryExecutionId"]) == [["a"]]
    assert ask.read(execution["ResultConfiguration"]["OutputLocation"]) == b'"a"\n'


@pytest.mark.parametrize(
    "sql", ["VALUES (1, 'a')", "WITH t(x, y) AS (VALUES (1, 'a')) SELECT * FROM t", "SELECT 1, 'a';"]
)
def test_forms_of_queries(ask: Asker, sql: str) -> None:
    """With and without SELECT, and with a semicolon."""
    assert ask.rows(sql) == [["1", "a"]]


def test_comments_may_come_first(ask: Asker) -> None:
    """Queries are tagged with leading comments."""
    assert ask.rows("-- view=x\n/* purpose=y */ SELECT 1") == [["1"]]


def test_parameters_are_literals_in_order(ask: Asker) -> None:
    """Question marks in text are none."""
    sql = "SELECT ? AS a, '?' AS q, ? AS b"
    assert ask.rows(sql, ExecutionParameters=["1", "'it''s'"]) == [["1", "?", "it's"]]
    assert "Incorrect number of parameters" in ask.reason(sql, ExecutionParameters=["1"])
    assert "Incorrect number of parameters" in ask.reason(sql, ExecutionParameters=["1", "2", "3"])
    assert "not a literal" in ask.reason(sql, ExecutionParameters=["1", "x FROM t"])


def test_explain_shows_a_plan(ask: Asker) -> None:
    """Enough to see that a query is understood."""
    execution = ask.done("EXPLAIN SELECT 1 AS a")
    assert execution["StatementType"] == "UTILITY"
    assert ask.page(execution["QueryExecutionId"])

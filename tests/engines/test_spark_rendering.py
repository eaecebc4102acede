"""What Spark alone says differently: each trap as the value that comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlglot import UnsupportedError, exp

from asof.sql.binding import bind, parameters
from asof.sql.dialects import render
from asof.sql.expressions import case, column, from_ms, is_null, named, number, parameter, table, to_ms, utc_date_text
from asof.sql.literals import default_literal, timestamp_literal
from tests.support.asked_engines import ASKED
from tests.support.spark_engine import SparkEngine

pytestmark = pytest.mark.skipif("spark" not in ASKED, reason="ASOF_TEST_ENGINES does not name spark")


@pytest.fixture(scope="session")
def spark(opened: Callable[[str], Any]) -> SparkEngine:
    """The engine of the behaviour suite."""
    engine: SparkEngine = opened("spark")
    return engine


def value(spark: SparkEngine, expression: exp.Expr, **bound: int | str) -> Any:
    """What an expression gives."""
    _, rows = spark.query(bind(render(exp.select(named(expression, "v")), "spark"), bound))
    return rows[0][0]


@pytest.mark.parametrize(
    "text",
    [
        "it's",
        "''",
        "\\",
        "\\'",
        "a\\nb",
        "a\nb",
        "\t",
        "\u0000",
        "$x",
        "${spark.master}",
        ":x",
        "`",
        '"',
        "é🛫",
        "%",
        "--",
        ";",
    ],
)
def test_text_is_what_it_was(spark: SparkEngine, text: str) -> None:
    """As a literal, beside a parameter that must still be found."""
    query = exp.select(named(exp.Literal.string(text), "a`:b"), named(parameter("x"), "v"))
    rendered = render(query, "spark")
    assert parameters(rendered) == {"x"}
    names, rows = spark.query(bind(rendered, {"x": 7}))
    assert (names, rows) == (("a`:b", "v"), [(text, 7)])


@pytest.mark.parametrize("ms", [-62_135_596_800_000, -1, 0, 1, 2**31, 86_400_000 * 40, 253_402_300_799_999])
def test_milliseconds_there_and_back(spark: SparkEngine, ms: int) -> None:
    """Over the whole of time, though Spark's own functions take 32 bits."""
    assert value(spark, to_ms(from_ms(parameter("ms"))), ms=ms) == ms
    assert value(spark, to_ms(timestamp_literal(ms))) == ms
    instant = timestamp_literal(ms)
    later = exp.DateAdd(this=instant, expression=number(5_000_000_000), unit=exp.var("MILLISECOND"))
    if ms < 10**12:
        assert (
            value(spark, exp.DateDiff(this=later, expression=instant.copy(), unit=exp.var("MILLISECOND"))) == 5 * 10**9
        )


@pytest.mark.parametrize(("text", "ms"), [("1969-12-31 23:59:59.9995", -1), ("1970-01-01 00:00:00.0019", 1)])
def test_finer_parts_are_floored(spark: SparkEngine, text: str, ms: int) -> None:
    """Before the epoch too, where truncation would go up."""
    instant = exp.cast(exp.Literal.string(text), "timestamp")
    assert value(spark, to_ms(instant)) == ms
    assert value(spark, to_ms(exp.TimestampTrunc(this=instant, unit=exp.var("millisecond")))) == ms


def test_dates_are_utc_s(spark: SparkEngine) -> None:
    """Whatever the machine's zone."""
    assert value(spark, utc_date_text(timestamp_literal(86_399_999))) == "1970-01-01"
    assert value(spark, utc_date_text(timestamp_literal(-1))) == "1969-12-31"
    assert value(spark, timestamp_literal(0)) == datetime(1970, 1, 1)  # noqa: DTZ001  # as the engine gives them


@pytest.mark.parametrize("number_", [0.1, 5e-324, 1e308, float("inf"), float("-inf"), -0.0])
def test_doubles_are_exact(spark: SparkEngine, number_: float) -> None:
    """As literals, to the last bit."""
    given = str(number_) if number_ in (float("inf"), float("-inf")) else number_
    assert repr(value(spark, default_literal("Float64", given))) == repr(number_)


def test_any_value_skips_null(spark: SparkEngine) -> None:
    """As everyone else's does; Spark's own takes what comes first."""
    spark.create("some", {"x": "bigint"}, [{"x": None}, {"x": 3}, {"x": None}])
    query = exp.select(named(exp.AnyValue(this=column("x")), "v")).from_(table("some"))
    assert spark.query(render(query, "spark"))[1] == [(3,)]


def test_a_row_of_nulls_is_a_row(spark: SparkEngine) -> None:
    """A NULL value of a row that is there is told from no row."""
    kind = exp.DataType(
        this=exp.DataType.Type.STRUCT,
        nested=True,
        expressions=[exp.ColumnDef(this=exp.to_identifier("f0", quoted=True), kind=exp.DataType.build("bigint"))],
    )
    row = exp.cast(exp.func("ROW", exp.null()), kind)
    assert value(spark, case(is_null(row), number(1), number(0))) == 0


def test_rows_are_numbered_without_an_order(spark: SparkEngine) -> None:
    """By numbers that differ; one after the other would need all rows on one machine."""
    spark.create("many", {"x": "bigint"}, [{"x": each} for each in range(50)])
    query = exp.select(named(exp.Window(this=exp.RowNumber()), "v")).from_(table("many"))
    assert len({row for (row,) in spark.query(render(query, "spark"))[1]}) == 50


def test_text_of_a_length_is_text(spark: SparkEngine) -> None:
    """Glue's varchar(n), which Spark takes in its own tables only."""
    spark.create("lengths", {"x": "varchar(3)"}, [{"x": "ab "}])
    assert spark.query("SELECT x FROM lengths")[1] == [("ab ",)]


def test_what_overflows_is_an_error(spark: SparkEngine) -> None:
    """ANSI mode: neither NULL nor another number."""
    least = default_literal("Int64", -(2**63))
    with pytest.raises(Exception, match="ARITHMETIC_OVERFLOW"):
        value(spark, least - 1)
    with pytest.raises(Exception, match="CAST_INVALID_INPUT"):
        value(spark, exp.cast(exp.Literal.string("x"), "bigint"))


def test_other_units_are_refused() -> None:
    """Sqlglot would add days whatever the unit."""
    with pytest.raises(UnsupportedError, match="HOUR"):
        render(exp.select(exp.DateAdd(this=timestamp_literal(0), expression=number(1), unit=exp.var("HOUR"))), "spark")

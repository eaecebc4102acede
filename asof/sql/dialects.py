"""Rendering: one expression, one text per engine. A dialect holds only what differs between engines.

Athena (engine version 3, which is Trino) is canonical: expressions are built so that sqlglot's Athena text can also be
transpiled to DuckDB, which is how the local cloud executes it. Spark is asked in the session that
``asof.offline.spark_session`` sets up: ANSI mode, UTC. Parameters stay ``:name`` everywhere (``asof.sql.binding``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from sqlglot import ErrorLevel, UnsupportedError, exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.spark import Spark
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.generators.spark import SparkGenerator

from asof.clock import DAY_MS
from asof.errors import RequestError


def _parameter(_generator: Generator, node: exp.Expr) -> str:
    return f":{node.name}"


def _exact_milliseconds(generator: Generator, node: exp.DateAdd) -> str:
    """DuckDB makes an interval of milliseconds by way of a double, which is microseconds off in the year 9999."""
    if _is_epoch(node.this) and node.text("unit").upper() == "MILLISECOND":
        return generator.func("MAKE_TIMESTAMP_MS", node.expression)
    return str(DuckDBGenerator.TRANSFORMS[exp.DateAdd](cast("DuckDBGenerator", generator), node))


class _DuckDBGenerator(DuckDBGenerator):
    TRANSFORMS: ClassVar[dict[Any, Any]] = {
        **DuckDBGenerator.TRANSFORMS,
        exp.Placeholder: _parameter,
        exp.DateAdd: _exact_milliseconds,
    }


class _DuckDB(DuckDB):
    """sqlglot's DuckDB with parameters spelled ``:name``, where sqlglot would write ``$name``."""

    Generator = _DuckDBGenerator


def _milliseconds(generator: Generator, node: exp.DateDiff) -> str:
    """Both instants floored; Spark's own ``timestampdiff`` truncates toward zero."""
    if node.text("unit").upper() != "MILLISECOND":
        return SparkGenerator.datediff_sql(cast("SparkGenerator", generator), node)
    end = generator.func("UNIX_MILLIS", node.this)
    return end if _is_epoch(node.expression) else f"({end} - {generator.func('UNIX_MILLIS', node.expression)})"


def _after_milliseconds(generator: Generator, node: exp.DateAdd) -> str:
    """Spark's own ``timestampadd`` takes 32 bits of milliseconds, which is 24 days; sqlglot would add days."""
    if node.text("unit").upper() != "MILLISECOND":
        raise UnsupportedError(f"only milliseconds can be added to an instant on Spark, not {node.text('unit')!r}")
    if _is_epoch(node.this):
        return generator.func("TIMESTAMP_MILLIS", node.expression)
    start = generator.func("UNIX_MILLIS", node.this)
    return f"TIMESTAMP_MILLIS({start} + {generator.sql(node, 'expression')})"


def _is_epoch(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.this.is_string and node.this.name == "1970-01-01 00:00:00"


_SPARK_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", **{each: f"\\u{ord(each):04x}" for each in ("'", "$", *map(chr, range(32)))}}
)
"""Spark has backslashes, no doubled quotes, and replaces ``${...}``. Without a quote inside, ``binding`` reads it."""


class _SparkGenerator(SparkGenerator):
    TRANSFORMS: ClassVar[dict[Any, Any]] = {
        **SparkGenerator.TRANSFORMS,
        exp.Placeholder: _parameter,
        exp.DateDiff: _milliseconds,
        exp.DateAdd: _after_milliseconds,
        # Everyone else's gives NULL only where there is nothing else.
        exp.AnyValue: lambda self, node: self.func("ANY_VALUE", node.this, exp.true()),
    }

    def literal_sql(self, expression: exp.Literal) -> str:
        """Text with Spark's escapes."""
        if not expression.is_string:
            return super().literal_sql(expression)
        return f"'{expression.name.translate(_SPARK_ESCAPES)}'"

    def window_sql(self, expression: exp.Window) -> str:
        """Numbers in no order: on Spark any numbers that differ, since one, two, three would need a single machine."""
        ordered = expression.args.get("order") or expression.args.get("partition_by")
        if isinstance(expression.this, exp.RowNumber) and not ordered:
            return "MONOTONICALLY_INCREASING_ID()"
        return super().window_sql(expression)

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        """Functions as they are called; ``ROW`` is Spark's ``STRUCT``."""
        if expression.name.upper() != "ROW":
            return super().anonymous_sql(expression)
        return self.func("STRUCT", *expression.expressions)


class _Spark(Spark):
    """sqlglot's Spark with instants, literals and rows as Spark 3.5 takes them."""

    Generator = _SparkGenerator


def _days_first(expression: exp.Expr) -> exp.Expr:
    """The expression where whole days are added to the epoch, and then the milliseconds that are left.

    Trino's ``date_add`` takes 32 bits, whatever the unit, and fails beyond: 24 days of milliseconds.
    """
    copy = expression.copy()
    for node in reversed(list(copy.find_all(exp.DateAdd))):  # innermost first
        if _is_epoch(node.this) and node.text("unit").upper() == "MILLISECOND":
            value, day = node.expression, exp.Literal.number(DAY_MS)
            left = exp.paren(value % day)
            # A multiple of a day: exact wherever `/` makes a double of it.
            days = exp.Div(this=exp.paren(value - left), expression=day.copy(), typed=True, safe=False)
            node.set("this", exp.DateAdd(this=node.this, expression=exp.cast(days, "bigint"), unit=exp.var("DAY")))
            node.set("expression", left)
    return copy


def _as_it_is(expression: exp.Expr) -> exp.Expr:
    return expression


@dataclass(frozen=True, slots=True)
class Dialect:
    """An engine's SQL: its name, the sqlglot dialect that writes it, and how long a statement may be.

    ``rewrite`` says in other words what the engine cannot do as it was put.
    """

    name: str
    writer: str | type[SqlglotDialect]
    max_bytes: int | None = None
    rewrite: Callable[[exp.Expr], exp.Expr] = _as_it_is

    def render(self, expression: exp.Expr) -> str:
        """The expression as text, laid out for reading where the engine's limit leaves room for that.

        Raises RequestError for a statement that is too long, and sqlglot's UnsupportedError for what the engine has no
        words for.
        """
        text = self._write(expression, pretty=True)
        if self._fits(text):
            return text
        text = self._write(expression, pretty=False)
        if self._fits(text):
            return text
        raise RequestError(
            f"the query has {len(text.encode()):,} bytes, but {self.name} takes {self.max_bytes:,}; "
            f"split the view, or ask for fewer features at once"
        )

    def _write(self, expression: exp.Expr, *, pretty: bool) -> str:
        expression = self.rewrite(expression)
        return expression.sql(dialect=self.writer, pretty=pretty, unsupported_level=ErrorLevel.RAISE)

    def _fits(self, text: str) -> bool:
        return self.max_bytes is None or len(text.encode()) <= self.max_bytes


# Athena's limit is 262,144 bytes; what is left out is room for the values of parameters.
_ATHENA: Final = Dialect("athena", "athena", max_bytes=256_000, rewrite=_days_first)

DIALECTS: Final = {each.name: each for each in (_ATHENA, Dialect("duckdb", _DuckDB), Dialect("spark", _Spark))}


def render(expression: exp.Expr, dialect: str) -> str:
    """The text of an expression for ``athena``, ``duckdb`` or ``spark``; parameters stay ``:name``.

    Raises RequestError for a dialect that Asof does not write, and for a statement too long for the engine.
    """
    if dialect not in DIALECTS:
        raise RequestError(f"no SQL dialect {dialect!r}; known are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[dialect].render(expression)

"""Rendering: one expression, one text per engine. A dialect holds only what differs between engines.

Athena (engine version 3, which is Trino) is canonical: expressions are built so that sqlglot's Athena text can also be
transpiled to DuckDB, which is how the local cloud executes it. Parameters stay ``:name`` everywhere
(``asof.sql.binding``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator

from asof.errors import RequestError


def _parameter(_generator: Generator, node: exp.Expr) -> str:
    return f":{node.name}"


class _DuckDBGenerator(DuckDBGenerator):
    TRANSFORMS: ClassVar[dict[Any, Any]] = {**DuckDBGenerator.TRANSFORMS, exp.Placeholder: _parameter}


class _DuckDB(DuckDB):
    """sqlglot's DuckDB with parameters spelled ``:name``, where sqlglot would write ``$name``."""

    Generator = _DuckDBGenerator


@dataclass(frozen=True, slots=True)
class Dialect:
    """An engine's SQL: its name and the sqlglot dialect that writes it."""

    name: str
    writer: str | type[SqlglotDialect]

    def render(self, expression: exp.Expr) -> str:
        """The expression as text, laid out for reading; raises sqlglot's UnsupportedError for what it cannot say."""
        return expression.sql(dialect=self.writer, pretty=True, unsupported_level=ErrorLevel.RAISE)


DIALECTS: Final = {each.name: each for each in (Dialect("athena", "athena"), Dialect("duckdb", _DuckDB))}


def render(expression: exp.Expr, dialect: str) -> str:
    """The text of an expression for ``athena`` or ``duckdb``; parameters stay ``:name``.

    Raises RequestError for a dialect that Asof does not write.
    """
    if dialect not in DIALECTS:
        raise RequestError(f"no SQL dialect {dialect!r}; known are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[dialect].render(expression)

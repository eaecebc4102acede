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
    """An engine's SQL: its name, the sqlglot dialect that writes it, and how long a statement may be."""

    name: str
    writer: str | type[SqlglotDialect]
    max_bytes: int | None = None

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
        return expression.sql(dialect=self.writer, pretty=pretty, unsupported_level=ErrorLevel.RAISE)

    def _fits(self, text: str) -> bool:
        return self.max_bytes is None or len(text.encode()) <= self.max_bytes


# Athena's limit is 262,144 bytes; what is left out is room for the values of parameters.
_ATHENA: Final = Dialect("athena", "athena", max_bytes=256_000)

DIALECTS: Final = {each.name: each for each in (_ATHENA, Dialect("duckdb", _DuckDB))}


def render(expression: exp.Expr, dialect: str) -> str:
    """The text of an expression for ``athena`` or ``duckdb``; parameters stay ``:name``.

    Raises RequestError for a dialect that Asof does not write, and for a statement too long for the engine.
    """
    if dialect not in DIALECTS:
        raise RequestError(f"no SQL dialect {dialect!r}; known are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[dialect].render(expression)

"""DuckDB's errors in Trino's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from asof.local.athena.errors import QueryFailedError

_PATTERNS: Final = (
    (r"Referenced column .* not found|does not have a column named|column .* not found in FROM", "COLUMN_NOT_FOUND"),
    (r"Table Function .* does not exist|Scalar Function .* does not exist|Function with name", "FUNCTION_NOT_FOUND"),
    (r"Table with name .* does not exist|Referenced table", "TABLE_NOT_FOUND"),
    (r"Division by zero", "DIVISION_BY_ZERO"),
    (r"must appear in the GROUP BY clause", "EXPRESSION_NOT_AGGREGATE"),
    (r"No function matches|Cannot compare|Cannot mix values|Cannot apply", "TYPE_MISMATCH"),
    (r"More than one row returned by a subquery", "SUBQUERY_MULTIPLE_ROWS"),
)
_CLASSES: Final = (
    (duckdb.ConversionException, "INVALID_CAST_ARGUMENT"),
    (duckdb.OutOfRangeException, "NUMERIC_VALUE_OUT_OF_RANGE"),
    (duckdb.ParserException, "SYNTAX_ERROR"),
    (duckdb.BinderException, "SYNTAX_ERROR"),
    (duckdb.CatalogException, "SYNTAX_ERROR"),
    (duckdb.OutOfMemoryException, "EXCEEDED_LOCAL_MEMORY_LIMIT"),
    (duckdb.NotImplementedException, "NOT_SUPPORTED"),
    (duckdb.InvalidInputException, "INVALID_FUNCTION_ARGUMENT"),
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn any DuckDB error raised inside into the QueryFailedError Athena would end with."""
    try:
        yield
    except duckdb.Error as error:
        raise failure(error) from error


def failure(error: duckdb.Error) -> QueryFailedError:
    """The failure of a query; DuckDB's message is kept, for it says where."""
    message = str(error).strip()
    for pattern, code in _PATTERNS:
        if re.search(pattern, message):
            return QueryFailedError(code, message)
    for kind, code in _CLASSES:
        if isinstance(error, kind):
            return QueryFailedError(code, message)
    return QueryFailedError("GENERIC_INTERNAL_ERROR", message, category=1)

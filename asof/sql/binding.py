"""Parameters of rendered SQL: ``:name`` placeholders, bound to escaped literals. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from asof.errors import RequestError

# String literals, quoted identifiers (Spark's too) and ``::`` casts are matched first: no colon in one is a parameter.
_TOKEN = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|::)|:([a-z_][a-z0-9_]*)""")


def literal(value: int | str) -> str:
    """An SQL literal of an integer or a string; quotes are doubled, which is all that Trino and DuckDB need."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise RequestError(f"an SQL parameter must be an int or a str, not {type(value).__name__}")
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def parameters(sql: str) -> frozenset[str]:
    """The names of the parameters a statement has."""
    return frozenset(match[2] for match in _TOKEN.finditer(sql) if match[2])


def bind(sql: str, values: Mapping[str, int | str]) -> str:
    """The statement with each ``:name`` replaced by its literal.

    Raises RequestError where a parameter has no value; values that no parameter names are ignored.
    """
    missing = parameters(sql) - set(values)
    if missing:
        raise RequestError(f"the query needs values for {sorted(missing)}")
    return _TOKEN.sub(lambda match: match[1] or literal(values[match[2]]), sql)

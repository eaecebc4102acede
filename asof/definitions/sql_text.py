"""SQL that users write: a filter, or one SELECT over a source. Parsed, judged row by row, and brought into one form."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from asof.definitions.base import Wrong

DIALECT: Final = "athena"

_CHANGING: Final = (
    exp.CurrentDate,
    exp.CurrentDatetime,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentUser,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.Uuid,
)
_CHANGING_NAMES: Final = frozenset({"now", "random", "rand", "shuffle", "uuid", "current_timezone"})
_ROW_BY_ROW: Final = "each source row must be judged by itself, so that work can be cut into intervals"


def parse_condition(where: str) -> exp.Expr:
    """The boolean expression of a filter. Raises Wrong where the text is not one expression."""
    try:
        return _normal(sqlglot.parse_one(where, dialect=DIALECT, into=exp.Condition))
    except SqlglotError as error:
        raise Wrong(f"where={where!r} is not one Athena SQL expression ({_trouble(error)})") from None


def parse_select(sql: str) -> exp.Select:
    """The SELECT of an SQL view. Raises Wrong where the text is not one SELECT statement."""
    try:
        statements = sqlglot.parse(sql, dialect=DIALECT)
    except SqlglotError as error:
        raise Wrong(f"sql cannot be parsed as Athena SQL ({_trouble(error)})") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise Wrong("sql must be one SELECT statement", "without WITH, UNION, or a second statement")
    select = _normal(statements[0])
    if not isinstance(select, exp.Select):
        raise Wrong("sql must be one SELECT statement")
    return select


def canonical(expression: exp.Expr) -> str:
    """The expression's text in one form: quoted identifiers, no comments, one spelling of white space and keywords."""
    return expression.sql(dialect=DIALECT, identify=True, comments=False)


def columns_of(expression: exp.Expr) -> set[str]:
    """The names of the columns an expression reads."""
    return {column.name for column in expression.find_all(exp.Column)}


def condition_wrongs(condition: exp.Expr, booleans: Collection[str]) -> Iterator[Wrong]:
    """Why an expression cannot be a filter; ``booleans`` are the names of the columns of type Bool."""
    yield from _not_row_by_row(condition, "where")
    yield from _qualified(condition, (), "where")
    pending = [condition]
    while pending:
        part = pending.pop()
        if isinstance(part, exp.Paren | exp.Not | exp.Connector):
            pending += [side for side in (part.this, part.args.get("expression")) if side is not None]
        elif _is_value(part, booleans):
            yield Wrong(f"where is not true or false: {canonical(part)} is a value", "compare it with something")


def select_wrongs(select: exp.Select, source: str) -> Iterator[Wrong]:
    """Why a SELECT cannot make a view's rows of one source, whatever its columns are."""
    table = select.args["from_"].this if select.args.get("from_") else None
    if not isinstance(table, exp.Table) or table.name != source or table.args.get("db") is not None:
        yield Wrong(f"sql must read its source by name: FROM {source}", "any other table is a source of its own")
        table = None
    for clause, value in select.args.items():
        if value and clause not in ("expressions", "from_", "where", "kind"):
            yield Wrong(f"sql must not have {_clause(clause)}", _ROW_BY_ROW)
    yield from _not_row_by_row(select, "sql")
    if table is not None:
        yield from _qualified(select, (table.alias_or_name,), "sql")


def outputs(select: exp.Select) -> tuple[list[str], list[Wrong]]:
    """The names of the columns a SELECT gives, and what is wrong with how it gives them."""
    names: list[str] = []
    wrongs: list[Wrong] = []
    for each in select.expressions:
        if each.is_star:
            wrongs.append(
                Wrong("sql must not SELECT *", "name the columns, so that a new source column changes nothing")
            )
        elif not each.alias_or_name:
            wrongs.append(Wrong(f"a column of sql has no name: {canonical(each)}", "write AS name after it"))
        elif each.alias_or_name in names:
            wrongs.append(Wrong(f"sql gives two columns {each.alias_or_name!r}"))
        else:
            names.append(each.alias_or_name)
    return names, wrongs


def nearest(name: str, known: Collection[str]) -> str:
    """The advice for a name that is not known."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(sorted(known)) or 'none'}"


def _normal(expression: exp.Expr) -> exp.Expr:
    return normalize_identifiers(expression, dialect=DIALECT)


def _not_row_by_row(expression: exp.Expr, what: str) -> Iterator[Wrong]:
    for node in expression.walk():
        if node is expression and isinstance(node, exp.Select):
            continue
        if isinstance(node, exp.Query | exp.Subquery | exp.Exists):
            yield Wrong(f"{what} must not have a subquery", _ROW_BY_ROW)
        elif isinstance(node, exp.Window):
            yield Wrong(f"{what} must not have a window function: {canonical(node)}", _ROW_BY_ROW)
        elif isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window):
            yield Wrong(f"{what} must not aggregate: {canonical(node)}", "use aggregations=[...] over windows")
        elif isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
            yield Wrong(f"{what} must not have a parameter: {canonical(node)}", "write the value itself")
        elif isinstance(node, _CHANGING) or (isinstance(node, exp.Anonymous) and node.name.lower() in _CHANGING_NAMES):
            yield Wrong(f"{what} must not use {canonical(node)}", "the answer must be the same whenever it is computed")


def _qualified(expression: exp.Expr, tables: tuple[str, ...], what: str) -> Iterator[Wrong]:
    for column in expression.find_all(exp.Column):
        if column.table and column.table not in tables:
            yield Wrong(f"{what} reads {canonical(column)}", "name the source's columns without a table")


def _is_value(part: exp.Expr, booleans: Collection[str]) -> bool:
    if isinstance(part, exp.Column):
        return part.name not in booleans
    if isinstance(part, exp.Boolean | exp.Predicate):
        return False
    return isinstance(part, exp.Literal | exp.Null | exp.Binary | exp.Neg | exp.Interval)


def _clause(name: str) -> str:
    words = {"with_": "WITH", "joins": "JOIN", "group": "GROUP BY", "order": "ORDER BY", "laterals": "LATERAL"}
    return words.get(name, name.strip("_").upper())


def _trouble(error: SqlglotError) -> str:
    """Where the parser stopped."""
    places = error.errors if isinstance(error, ParseError) else []
    if not places:
        return "it ends too early, or a quote is not closed"
    place = places[0]
    return f"line {place['line']}, column {place['col']}, at {str(place['highlight'])!r}"

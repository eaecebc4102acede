"""What Trino refuses and DuckDB would let pass: a query that runs here must run on Athena.

Three checks, each careful to be silent where it cannot know: functions Trino does not have, an alias used in the
SELECT that defines it, and comparisons of text with numbers or times.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify_columns import qualify_columns
from sqlglot.optimizer.scope import Scope, traverse_scope, walk_in_scope
from sqlglot.schema import MappingSchema

from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.trino_names import REFUSED, TRINO

# Before a parenthesis these make a name an alias with columns, not a function.
_NOT_BEFORE_CALLS: Final = {TokenType.ALIAS, TokenType.R_PAREN, TokenType.VAR, TokenType.IDENTIFIER, TokenType.WITH}
_NOT_BEFORE_CALLS_TEXT: Final = {"RECURSIVE", "TABLESAMPLE"}

Columns = Callable[[exp.Table], dict[str, str] | None]
"""Names and Trino types of a table's columns; None where the table is not known."""


def check_functions(tokens: Sequence[Token]) -> None:
    """Raise for a call of a function that Trino does not have, or that would answer differently here."""
    for position in range(len(tokens) - 1):
        token = tokens[position]
        if token.token_type is not TokenType.VAR or tokens[position + 1].token_type is not TokenType.L_PAREN:
            continue
        before = tokens[position - 1] if position else None
        if before and (before.token_type in _NOT_BEFORE_CALLS or before.text.upper() in _NOT_BEFORE_CALLS_TEXT):
            continue
        if token.text.upper() == "GROUP" or _is_with_query(tokens, position + 1):
            continue
        name = token.text.lower()
        if name in REFUSED:
            raise not_supported(f"run {name}")
        if name not in TRINO:
            raise QueryFailedError(
                "FUNCTION_NOT_FOUND",
                f"line {token.line}:{token.col}: Function '{name}' not registered (or not known to the local cloud)",
            )


def _is_with_query(tokens: Sequence[Token], opening: int) -> bool:
    """Whether ``name (columns)`` is followed by ``AS (``: a further query of WITH."""
    depth = 0
    for position in range(opening, len(tokens) - 2):
        kind = tokens[position].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            after = tokens[position + 1 : position + 3]
            return [each.token_type for each in after] == [TokenType.ALIAS, TokenType.L_PAREN]
    return False


def check_names_and_types(query: exp.Query, columns: Columns) -> None:
    """Raise for an alias used where it is defined, and for comparisons across kinds of types.

    Statements that differ only in their literals are checked once.
    """
    tables = {}
    for table in query.find_all(exp.Table):
        found = columns(table)
        tables[table.text("db"), table.name] = None if found is None else tuple(found.items())
    _check_skeleton(_LITERAL.sub(_skeleton, query.sql("trino")), frozenset(tables.items()))


# Text in quotes and long whole numbers; short ones may be ordinals (GROUP BY 1).
_LITERAL: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w.])\d{3,}(?![\w.])""")


def _skeleton(match: re.Match[str]) -> str:
    return {"'": "'0'", '"': match[0]}.get(match[0][0], "0")


@functools.lru_cache(maxsize=512)
def _check_skeleton(sql: str, tables: frozenset[tuple[tuple[str, str], tuple[tuple[str, str], ...] | None]]) -> None:
    known = {name: None if found is None else dict(found) for name, found in tables}

    def columns(table: exp.Table) -> dict[str, str] | None:
        return known.get((table.text("db"), table.name))

    try:
        query = sqlglot.parse_one(sql, read="trino")
        scopes = traverse_scope(query)
    except SqlglotError as error:
        raise QueryFailedError("SYNTAX_ERROR", str(error)) from error
    for scope in scopes:
        if isinstance(scope.expression, exp.Select):
            _check_aliases(scope.expression, scope, columns)
    if isinstance(query, exp.Query):
        _check_comparisons(query, columns)


def _check_aliases(select: exp.Select, scope: Scope, columns: Columns) -> None:
    aliases = {each.alias.lower() for each in select.selects if isinstance(each, exp.Alias)}
    known = _visible(scope, columns)
    if known is None:
        return
    for column in _inner_columns(select):
        name = column.name.lower()
        if not column.table and name in aliases and name not in known:
            raise QueryFailedError("COLUMN_NOT_FOUND", f"line 1:1: Column '{name}' cannot be resolved")


def _inner_columns(select: exp.Select) -> Iterator[exp.Column]:
    """Columns in the clauses that cannot see the SELECT's own aliases: all but ORDER BY."""
    clauses = [*select.selects, *(select.args.get(name) for name in ("where", "group", "having"))]
    for clause in clauses:
        if clause is not None:
            yield from (node for node in walk_in_scope(clause) if isinstance(node, exp.Column))


def _visible(scope: Scope, columns: Columns) -> set[str] | None:
    """The names a scope's sources, and those around it, give; None where a source's are not known."""
    names: set[str] = set()
    for source in scope.sources.values():
        if isinstance(source, exp.Table):
            found = columns(source)
            if found is None:
                return None
            names.update(found)
        else:
            inner = source.expression
            if not isinstance(inner, exp.Query) or inner.is_star:
                return None
            alias = inner.parent.args.get("alias") if inner.parent is not None else None
            if isinstance(alias, exp.TableAlias) and alias.columns:
                names.update(each.name.lower() for each in alias.columns)
            names.update(name.lower() for name in inner.named_selects)
    if scope.is_subquery and scope.parent is not None:
        outer = _visible(scope.parent, columns)
        return None if outer is None else names | outer
    return names


_KINDS: Final = {
    "text": {"VARCHAR", "TEXT", "CHAR"},
    "number": {"BIGINT", "INT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "DECIMAL"},
    "time": {"DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ"},
    "boolean": {"BOOLEAN"},
}
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def _check_comparisons(query: exp.Query, columns: Columns) -> None:
    typed = _typed(query, columns)
    if typed is None:
        return
    for node in typed.walk():
        pairs: list[tuple[exp.Expr, exp.Expr]] = []
        if isinstance(node, _COMPARISONS):
            pairs = [(node.this, node.expression)]
        elif isinstance(node, exp.Between):
            pairs = [(node.this, node.args["low"]), (node.this, node.args["high"])]
        elif isinstance(node, exp.In):
            pairs = [(node.this, each) for each in node.expressions]
        for left, right in pairs:
            kinds = (_kind(left), _kind(right))
            if None not in kinds and kinds[0] != kinds[1]:
                raise QueryFailedError(
                    "TYPE_MISMATCH",
                    f"line 1:1: Cannot apply operator: {_type(left)} and {_type(right)} in {node.sql('athena')}",
                )


def _typed(query: exp.Query, columns: Columns) -> exp.Expr | None:
    """A copy of the query whose expressions know their types as far as sqlglot can tell; None where it cannot."""
    copy = query.copy()
    schema = MappingSchema(dialect="athena")
    try:
        for scope in traverse_scope(copy):
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and (found := columns(source)) is not None:
                    schema.add_table(source, found, match_depth=False)
        qualified = qualify_columns(copy, schema, expand_alias_refs=False)
        return annotate_types(qualified, schema, dialect="athena")
    except (SqlglotError, AssertionError):  # sqlglot asserts what it expects of a query it cannot qualify
        return None


def _type(node: exp.Expr) -> str:
    return node.type.sql("athena").lower() if node.type is not None else "unknown"


def _kind(node: exp.Expr) -> str | None:
    name = node.type.this.name if node.type is not None and isinstance(node.type.this, exp.DataType.Type) else ""
    return next((kind for kind, names in _KINDS.items() if name in names), None)

"""From a statement's text to a statement. What is not recognized is refused by name, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from asof.local.athena.errors import InvalidRequestError, QueryFailedError, not_supported
from asof.local.athena.hive import parse_hive
from asof.local.athena.statements import CreateTableAs, Explain, InsertInto, Select, Statement, TableName, Unload
from asof.local.athena.strict import check_functions

# Text and comments are matched first, so that no question mark in one is a parameter.
_PLACEHOLDER = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)|\?""", re.DOTALL)
_LEADING_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
# What Athena has beyond the forms below; refused by name, where anything else is no SQL at all.
_STATEMENTS = frozenset(
    {"ALTER", "ANALYZE", "CREATE", "DEALLOCATE", "DELETE", "DESC", "DESCRIBE", "DROP", "EXECUTE", "GRANT", "MERGE"}
    | {"MSCK", "OPTIMIZE", "PREPARE", "REVOKE", "SET", "SHOW", "TRUNCATE", "UPDATE", "USE", "VACUUM"}
)
_LITERALS = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Cast)


def parse(sql: str, parameters: Sequence[str] = ()) -> Statement:
    """The statement a text is, with its ``?`` replaced by the execution parameters.

    Raises InvalidRequestError for text that is no SQL, QueryFailedError for SQL that is refused.
    """
    text = bind(sql, parameters)
    text = text[_LEADING_COMMENTS.match(text).end() :].rstrip().removesuffix(";")  # type: ignore[union-attr] # matches empty
    first = re.match(r"\w*", text)[0].upper()  # type: ignore[index] # matches empty
    if first == "UNLOAD":
        return _unload(text)
    if first == "EXPLAIN":
        asked = re.sub(r"(?i)^EXPLAIN\s+(?:\([^)]*\)\s*)?", "", text)
        return Explain(_query(_tokens(asked), asked))
    if first in ("SELECT", "WITH", "VALUES", "TABLE", ""):
        return Select(_query(_tokens(text), text))
    if first == "INSERT":
        return _insert(_one(_tokens(text), text))
    if first == "CREATE" and re.match(r"(?is)CREATE\s+TABLE\b.*?\bAS\b[\s(]*(?:SELECT|WITH|VALUES)\b", text):
        tokens = _tokens(text)
        check_functions(tokens)
        return _create_table_as(_one(tokens, text))
    hive = parse_hive(text, first)
    if hive is None and first not in _STATEMENTS:
        raise InvalidRequestError(
            f"line 1:1: mismatched input {first!r}. Expecting: a statement", code="MALFORMED_QUERY"
        )
    if hive is None:
        raise not_supported(f"run {' '.join(text.split()[:2]).upper()!r} statements")
    return hive


def bind(sql: str, parameters: Sequence[str]) -> str:
    """The text with each ``?`` replaced, in order. Athena takes every parameter as the text of a literal."""
    remaining = list(parameters)

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        if not remaining:
            raise QueryFailedError("INVALID_PARAMETER_USAGE", f"Incorrect number of parameters: {len(parameters)}")
        value = remaining.pop(0)
        try:
            literal = sqlglot.parse_one(value, read="athena")
        except SqlglotError:
            literal = exp.Column()
        if not isinstance(literal, _LITERALS):
            raise QueryFailedError("INVALID_PARAMETER_USAGE", f"the parameter {value!r} is not a literal")
        return value

    bound = _PLACEHOLDER.sub(replace, sql) if parameters else sql
    if remaining:
        raise QueryFailedError("INVALID_PARAMETER_USAGE", f"Incorrect number of parameters: {len(parameters)}")
    return bound


def _one(tokens: list[Token], text: str) -> exp.Expr:
    """The one statement that tokens, all or some of a text's, make up."""
    try:
        parsed = Dialect.get_or_raise("trino").parser().parse(tokens, text)
        found = [each for each in parsed if each is not None]
    except SqlglotError as error:
        raise InvalidRequestError(_where(error), code="MALFORMED_QUERY") from error
    if len(found) != 1:
        raise InvalidRequestError(
            f"Only one sql statement is allowed. Got: {len(found)} statements", code="MALFORMED_QUERY"
        )
    return found[0]


def _where(error: SqlglotError) -> str:
    details = getattr(error, "errors", None) or [{}]
    line, column = details[0].get("line") or 1, details[0].get("col") or 1
    return f"line {line}:{column}: {details[0].get('description') or error}"


def _query(tokens: list[Token], text: str) -> exp.Query:
    parsed = _one(tokens, text)
    check_functions(tokens)
    if isinstance(parsed, exp.Values):
        parsed = exp.select("*").from_(parsed)
    if not isinstance(parsed, exp.Query):
        raise InvalidRequestError(f"line 1:1: mismatched input {tokens[0].text!r}", code="MALFORMED_QUERY")
    if parsed.find(exp.Placeholder, exp.Parameter):
        raise QueryFailedError("INVALID_PARAMETER_USAGE", "the query has parameters that were given no value")
    return parsed


def _unload(text: str) -> Unload:
    body = re.sub(r"(?i)^UNLOAD\s*", "", text)
    tokens = _tokens(body)
    end = _closing(tokens, 0) if tokens and tokens[0].token_type is TokenType.L_PAREN else None
    rest = tokens[end + 1 :] if end is not None else []
    if end is None or len(rest) < 2 or rest[0].text.upper() != "TO" or rest[1].token_type is not TokenType.STRING:
        raise InvalidRequestError(
            "line 1:1: mismatched input 'UNLOAD'. Expecting: UNLOAD (query) TO 's3://...' WITH (format = ...)",
            code="MALFORMED_QUERY",
        )
    options = _options(rest[2:])
    unknown = set(options) - {"format", "compression", "compression_level", "partitioned_by"}
    if unknown:
        raise not_supported(f"UNLOAD with {', '.join(sorted(unknown))}")
    return Unload(
        query=_query(tokens[1:end], body),
        location=rest[1].text,
        format=str(options.get("format", "PARQUET")).upper(),
        compression=_upper(options.get("compression")),
        partitioned_by=_names(options.get("partitioned_by")),
    )


def _tokens(text: str) -> list[Token]:
    try:
        return sqlglot.tokenize(text, read="trino")
    except SqlglotError as error:
        raise InvalidRequestError(_where(error), code="MALFORMED_QUERY") from error


def _closing(tokens: Sequence[Token], start: int) -> int | None:
    depth = 0
    for position in range(start, len(tokens)):
        kind = tokens[position].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            return position
    return None


def _options(tokens: Sequence[Token]) -> dict[str, str | list[str]]:
    """``WITH (name = 'value', name = ARRAY['a', 'b'])``."""
    if not tokens:
        return {}
    if [token.text.upper() for token in tokens[:2]] != ["WITH", "("] or tokens[-1].text != ")":
        raise InvalidRequestError(f"line 1:1: mismatched input {tokens[0].text!r}", code="MALFORMED_QUERY")
    options: dict[str, str | list[str]] = {}
    inside, position = tokens[2:-1], 0
    while position < len(inside):
        name, value = inside[position].text.lower(), inside[position + 2 : position + 3]
        position += 3
        if not value or inside[position - 2].text != "=":
            raise InvalidRequestError(f"line 1:1: mismatched input {name!r}", code="MALFORMED_QUERY")
        if value[0].token_type is TokenType.ARRAY:
            items = []
            while inside[position].text != "]":
                if inside[position].token_type is TokenType.STRING:
                    items.append(inside[position].text)
                position += 1
            position += 1
            options[name] = items
        else:
            options[name] = value[0].text
        position += 1  # the comma
    return options


def _upper(value: str | list[str] | None) -> str | None:
    return value.upper() if isinstance(value, str) else None


def _names(value: str | list[str] | None) -> tuple[str, ...]:
    return tuple(name.lower() for name in value) if isinstance(value, list) else ()


def table_name(table: exp.Expr) -> TableName:
    """The name in a table expression, lower case as Glue keeps it."""
    return TableName(table.name.lower(), table.text("db").lower() or None)


def _insert(parsed: exp.Expr) -> InsertInto:
    if not isinstance(parsed, exp.Insert):
        raise not_supported("run this form of INSERT")
    query = parsed.expression
    if isinstance(query, exp.Values):
        query = exp.select("*").from_(query)
    if not isinstance(query, exp.Query):
        raise not_supported("run this form of INSERT")
    check_functions(_tokens(query.sql("athena")))
    target = parsed.this
    columns = tuple(each.name.lower() for each in target.expressions) if isinstance(target, exp.Schema) else ()
    table = target.this if isinstance(target, exp.Schema) else target
    return InsertInto(table_name(table), columns, query)


def _create_table_as(parsed: exp.Expr) -> CreateTableAs:
    if not isinstance(parsed, exp.Create) or not isinstance(parsed.expression, exp.Query):
        raise not_supported("run this form of CREATE TABLE AS")
    values = _properties(parsed.args.get("properties"))
    known = {"format", "external_location", "partitioned_by", "write_compression", "parquet_compression"}
    unknown = set(values) - known - {"compression_level", "is_external"}
    if unknown:
        raise not_supported(f"CREATE TABLE AS with {', '.join(sorted(unknown))}")
    location = values.get("external_location")
    return CreateTableAs(
        table=table_name(parsed.this.this if isinstance(parsed.this, exp.Schema) else parsed.this),
        query=parsed.expression,
        format=str(values.get("format", "PARQUET")).upper(),
        compression=_upper(values.get("write_compression") or values.get("parquet_compression")),
        external_location=location if isinstance(location, str) else None,
        partitioned_by=_names(values.get("partitioned_by")),
    )


def _properties(properties: exp.Expr | None) -> Mapping[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for each in properties.expressions if properties is not None else ():
        if isinstance(each, exp.FileFormatProperty):
            found["format"] = each.this.name
        elif isinstance(each, exp.PartitionedByProperty):
            found["partitioned_by"] = [item.name for item in each.this.expressions]
        elif isinstance(each, exp.Property) and each.name and isinstance(each.args.get("value"), exp.Literal):
            found[each.name.lower()] = each.args["value"].name
        else:
            raise not_supported(f"CREATE TABLE AS with {each.sql('athena')}")
    return found

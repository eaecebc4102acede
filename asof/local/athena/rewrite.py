"""From Trino's expressions to expressions that give the same answer on DuckDB.

sqlglot translates syntax; these rules mend what it translates to something with another meaning. One function, one
rule; each takes a node whose children are done and returns its replacement, or the node itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlglot import exp

from asof.local.athena.errors import QueryFailedError, not_supported

Rule = Callable[[exp.Expr], exp.Expr]

_INTEGERS: Final = {"BIGINT", "INT", "SMALLINT", "TINYINT"}
_TIMESTAMPS: Final = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMPNTZ"}
_UNITS: Final = {"SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"}
_UTC: Final = {"utc", "etc/utc", "gmt", "z"}


def to_duckdb(query: exp.Expr) -> exp.Expr:
    """A copy of the query with every rule applied, innermost nodes first."""
    copy = query.copy()
    for node in reversed(list(copy.walk())):
        rule = RULES.get(type(node))
        if rule is not None:
            replacement = rule(node)
            if replacement is not node:
                node.replace(replacement)
    return copy


def call(name: str, *arguments: exp.Expr | str | int) -> exp.Expr:
    """A call of a DuckDB function or macro; plain Python values become literals."""
    return exp.Anonymous(
        this=name, expressions=[each if isinstance(each, exp.Expr) else exp.convert(each) for each in arguments]
    )


_SIMPLE = (exp.Column, exp.Literal, exp.Identifier, exp.Null)


def _once(macro: str, operand: exp.Expr, *before: exp.Expr | str) -> exp.Expr:
    """A macro's call, with ``before`` as its first arguments, that evaluates its operand once.

    Macros repeat their arguments, and overloads are not chosen by the type of an aggregate; a lambda does neither.
    """
    if isinstance(operand, _SIMPLE):
        return call(macro, *before, operand)
    return _let(operand, call(macro, *before, exp.column("v")))


def _let(value: exp.Expr, body: exp.Expr) -> exp.Expr:
    """``body`` where ``v`` is ``value``."""
    function = exp.Lambda(this=body, expressions=[exp.to_identifier("v")])
    return call("list_extract", call("list_transform", exp.array(value), function), 1)


def _divide(node: exp.Expr) -> exp.Expr:
    """Integers divide to integers, which only the types tell."""
    left, right = node.this, node.expression
    if any(isinstance(each, exp.Cast) and each.to.this.name in ("DOUBLE", "FLOAT") for each in (left, right)):
        return node
    if isinstance(left, _SIMPLE) and isinstance(right, _SIMPLE):
        return call("trino_divide", left, right)
    pair = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(name), expression=value)
            for name, value in (("a", left), ("b", right))
        ]
    )
    parts = [exp.Dot(this=exp.column("v"), expression=exp.to_identifier(name)) for name in ("a", "b")]
    return _let(pair, call("trino_divide", *parts))


def _cast(node: exp.Expr) -> exp.Expr:
    """Casts: text of numbers and times, rounding to integers and milliseconds, and no cast to JSON."""
    target, operand = node.args["to"], node.this
    name = target.this.name if isinstance(target.this, exp.DataType.Type) else ""
    if name == "JSON":
        raise not_supported("cast to JSON")
    if name in ("VARCHAR", "TEXT", "CHAR"):
        text = operand if operand.is_string else _once("trino_varchar", operand)
        limit = target.expressions[0].this if target.expressions else None
        return call("substring", text, exp.Literal.number(1), limit) if limit is not None else text
    if name == "DECIMAL" and not target.expressions:
        # A literal (DECIMAL '1.50') is as precise as it is written; elsewhere decimal is decimal(38,0).
        text = operand.name.lstrip("+-") if operand.is_string else ""
        scale = len(text.partition(".")[2])
        size = exp.DataTypeParam(this=exp.Literal.number(len(text.replace(".", "")) or 38))
        target.set("expressions", [size, exp.DataTypeParam(this=exp.Literal.number(scale))])
    elif name in _INTEGERS and not operand.is_int:
        macro = "trino_try_bigint" if isinstance(node, exp.TryCast) else "trino_bigint"
        node.set("this", _once(macro, operand))
    elif name in _TIMESTAMPS and type(node) is exp.Cast and target.meta.get("precision", 3) == 3:
        whole = operand.is_string and len(operand.name.partition(".")[2]) <= 3
        return node if whole else _once("trino_timestamp", operand)
    elif name == "ARRAY" and target.expressions and target.expressions[0].this.name in ("VARCHAR", "TEXT"):
        body = exp.Lambda(this=call("trino_varchar", exp.column("v")), expressions=[exp.to_identifier("v")])
        return call("list_transform", operand, body)
    return node


def _data_type(node: exp.Expr) -> exp.Expr:
    """One timestamp type: DuckDB's TIMESTAMP(0..3) are types of their own with fewer functions."""
    if not isinstance(node.this, exp.DataType.Type) or node.this.name not in _TIMESTAMPS:
        return node
    plain = exp.DataType(this=exp.DataType.Type.TIMESTAMP, nested=False)
    # The precision is kept aside: a cast to timestamp(6) does not round.
    plain.meta["precision"] = int(node.expressions[0].name) if node.expressions else 3
    return plain


def _max_by(node: exp.Expr) -> exp.Expr:
    """``max_by`` and ``min_by`` keep a NULL value of the chosen row; DuckDB's arg_max would pass it over."""
    if node.args.get("count"):
        return node
    return call("arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null", node.this, node.expression)


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return unit.name.lower() if unit is not None else "day"


def _date_diff(node: exp.Expr) -> exp.Expr:
    """``date_diff`` counts whole units that have passed; DuckDB's date_diff counts boundaries crossed."""
    return call("date_sub", _unit(node), node.expression, node.this)


def _date_add(node: exp.Expr) -> exp.Expr:
    """``date_add`` keeps the type of a date, and takes no number beyond 32 bits, whatever its type."""
    amount = node.expression if node.expression.is_int else _once("trino_32_bits", node.expression)
    if node.expression.is_int and not -(2**31) <= int(node.expression.name) < 2**31:
        raise QueryFailedError("INVALID_FUNCTION_ARGUMENT", "integer overflow")
    step = exp.Interval(this=exp.Paren(this=amount), unit=exp.var(_unit(node).upper()))
    return _plus(node.this, step)


def _plus_interval(node: exp.Expr) -> exp.Expr:
    """A date plus or minus an interval is a date; DuckDB makes it a timestamp."""
    left, right = node.this, node.expression
    if isinstance(right, exp.Interval):
        step = right if isinstance(node, exp.Add) else exp.Neg(this=exp.Paren(this=right))
        return _plus(left, step)
    if isinstance(left, exp.Interval) and isinstance(node, exp.Add):
        return _plus(right, left)
    return node


def _plus(moment: exp.Expr, step: exp.Expr) -> exp.Expr:
    if isinstance(moment, exp.Interval):
        return exp.Add(this=moment, expression=step)
    if isinstance(moment, _SIMPLE):
        return call("trino_plus", moment, step)
    return _let(moment, call("trino_plus", exp.column("v"), step))


def _interval(node: exp.Expr) -> exp.Expr:
    """Intervals have the units of the SQL standard."""
    unit = _unit(node).upper()
    if unit not in _UNITS:
        raise QueryFailedError("SYNTAX_ERROR", f"line 1:1: mismatched input '{unit}' after INTERVAL")
    return node


def _date_trunc(node: exp.Expr) -> exp.Expr:
    """``date_trunc`` keeps the type of a date."""
    return _once("trino_date_trunc", node.this, _unit(node))


def _from_unixtime(node: exp.Expr) -> exp.Expr:
    """``from_unixtime(seconds)``, to the millisecond."""
    if node.args.get("scale") or node.args.get("zone") or node.args.get("hours"):
        raise not_supported("run from_unixtime with more than one argument")
    return _once("trino_from_unixtime", node.this)


def _at_time_zone(node: exp.Expr) -> exp.Expr:
    """``AT TIME ZONE 'UTC'``; DuckDB's times carry no zone, so another zone would be lost on the way."""
    zone = node.args["zone"]
    if zone.name.lower() not in _UTC:
        raise not_supported(f"give a time in the zone {zone.name!r} (only UTC)")
    inner = node.this
    if isinstance(inner, exp.Anonymous) and inner.name.lower() == "with_timezone":
        local, place = inner.expressions
        return exp.Paren(this=exp.AtTimeZone(this=local, zone=place))
    return exp.cast(inner, exp.DataType(this=exp.DataType.Type.TIMESTAMPTZ, nested=False))


def _anonymous(node: exp.Expr) -> exp.Expr:
    """Functions sqlglot does not know."""
    name = node.name.lower()
    if name == "with_timezone":
        zone = node.expressions[1]
        inside = isinstance(node.parent, exp.AtTimeZone)
        if not inside and zone.name.lower() not in _UTC:
            raise not_supported(f"give a time in the zone {zone.name!r} (only UTC, or within AT TIME ZONE 'UTC')")
        return node if inside else exp.Paren(this=exp.AtTimeZone(this=node.expressions[0], zone=zone))
    if name == "at_timezone":
        return _at_time_zone(exp.AtTimeZone(this=node.expressions[0], zone=node.expressions[1]))
    if name == "to_milliseconds":
        return call("trino_to_milliseconds", *node.expressions)
    if name in ("all_match", "none_match"):
        array, test = node.expressions
        wanted = test.copy()
        if name == "none_match":
            wanted.set("this", exp.Not(this=exp.Paren(this=wanted.this)))
        return call("list_bool_and", call("list_transform", array, wanted))
    if name == "any_match":
        return call("list_bool_or", call("list_transform", *node.expressions))
    return call("bool_and", *node.expressions) if name == "every" else node


def _row(node: exp.Expr) -> exp.Expr:
    """``row(a, b)`` has no field names; sqlglot would name them after their columns."""
    if any(isinstance(each, (exp.PropertyEQ, exp.Alias)) for each in node.expressions):
        return node
    return call("ROW", *node.expressions)


def _format(node: exp.Expr) -> exp.Expr:
    """``format`` is Java's ``%``-format, which is DuckDB's printf."""
    return call("printf", node.this, *node.expressions)


def _regexp_extract(node: exp.Expr) -> exp.Expr:
    """``regexp_extract`` is NULL where nothing matches; DuckDB gives the empty string."""
    return call("trino_regexp_extract", node.this, node.expression, node.args.get("group") or exp.Literal.number(0))


def _slice(node: exp.Expr) -> exp.Expr:
    """``slice(array, start, length)``; DuckDB's third argument is the end."""
    return call("trino_slice", node.this, node.args["start"], node.args["end"])


def _reduce(node: exp.Expr) -> exp.Expr:
    """``reduce(array, initial, step, finish)``: DuckDB has no finish, so it is applied to the result."""
    folded = call("list_reduce", node.this, node.args["merge"], node.args["initial"])
    finish = node.args.get("finish")
    if finish is None:
        return folded
    return call("list_extract", call("list_transform", exp.array(folded), finish), 1)


def _row_index(node: exp.Expr) -> exp.Expr:
    """``row(a, b)[2]``: sqlglot shifts the index of what it does not know to be a row."""
    if isinstance(node.this, exp.Anonymous) and node.this.name == "ROW":
        return call("struct_extract", node.this, node.expressions[0])
    return node


def _unnest(node: exp.Expr) -> exp.Expr:
    """``UNNEST`` of one array; DuckDB has no form for several side by side."""
    if len(node.expressions) > 1:
        raise not_supported("UNNEST more than one array")
    return node


def _refuse(node: exp.Expr) -> exp.Expr:
    """Functions whose DuckDB namesake gives another answer."""
    raise not_supported(f"run {node.sql_name().lower()}" if isinstance(node, exp.Func) else f"run {node.key}")


RULES: Final[Mapping[type[exp.Expr], Rule]] = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.DataType: _data_type,
    exp.ArgMax: _max_by,
    exp.ArgMin: _max_by,
    exp.Interval: _interval,
    exp.DateDiff: _date_diff,
    exp.DateAdd: _date_add,
    exp.Div: _divide,
    exp.Add: _plus_interval,
    exp.Sub: _plus_interval,
    exp.TimestampTrunc: _date_trunc,
    exp.DateTrunc: _date_trunc,
    exp.UnixToTime: _from_unixtime,
    exp.AtTimeZone: _at_time_zone,
    exp.Anonymous: _anonymous,
    exp.Struct: _row,
    exp.Bracket: _row_index,
    exp.Format: _format,
    exp.RegexpExtract: _regexp_extract,
    exp.ArraySlice: _slice,
    exp.Reduce: _reduce,
    exp.Unnest: _unnest,
    exp.Typeof: _refuse,
    exp.ParseDatetime: _refuse,
}

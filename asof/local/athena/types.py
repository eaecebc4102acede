"""Types in three spellings: Glue's (tables), DuckDB's (execution) and Athena's (results).

| Glue | DuckDB | Athena result |
|---|---|---|
| bigint, int, smallint, tinyint | BIGINT, INTEGER, SMALLINT, TINYINT | bigint, integer, smallint, tinyint |
| double, float | DOUBLE, FLOAT | double, float |
| string, varchar(n), char(n) | VARCHAR | varchar |
| boolean, date, binary | BOOLEAN, DATE, BLOB | boolean, date, varbinary |
| timestamp | TIMESTAMP | timestamp (milliseconds) |
| decimal(p,s) | DECIMAL(p,s) | decimal |
| array<t>, map<k,v>, struct<a:t> | T[], MAP(K, V), STRUCT("a" T) | array, map, row |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.model import ResultColumn

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_GLUE_SCALARS: Final = {
    "bigint": "BIGINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "smallint": "SMALLINT",
    "tinyint": "TINYINT",
    "double": "DOUBLE",
    "float": "FLOAT",
    "real": "FLOAT",
    "string": "VARCHAR",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "binary": "BLOB",
}

# DuckDB's type id -> Glue's type, Athena's result type, precision, scale. DuckDB's sums of integers are HUGEINT where
# Trino's are bigint.
_SCALARS: Final = {
    "bigint": ("bigint", "bigint", 19, 0),
    "hugeint": ("bigint", "bigint", 19, 0),
    "integer": ("int", "integer", 10, 0),
    "smallint": ("smallint", "smallint", 5, 0),
    "tinyint": ("tinyint", "tinyint", 3, 0),
    "double": ("double", "double", 17, 0),
    "float": ("float", "float", 17, 0),
    "varchar": ("string", "varchar", 2147483647, 0),
    "boolean": ("boolean", "boolean", 0, 0),
    "date": ("date", "date", 0, 0),
    "blob": ("binary", "varbinary", 1073741824, 0),
    "timestamp": ("timestamp", "timestamp", 3, 0),
    "timestamp_s": ("timestamp", "timestamp", 3, 0),
    "timestamp_ms": ("timestamp", "timestamp", 3, 0),
    "timestamp_ns": ("timestamp", "timestamp", 3, 0),
    "timestamp with time zone": ("", "timestamp with time zone", 3, 0),
    "time": ("", "time", 3, 0),
    "interval": ("", "interval day to second", 0, 0),
    "uuid": ("", "uuid", 0, 0),
    "json": ("", "json", 0, 0),
    "null": ("", "unknown", 0, 0),
}


def duckdb_type(glue: str) -> str:
    """The DuckDB type of a Glue column type; raises QueryFailedError for one that is not supported."""
    text = glue.strip().lower()
    base, _, inner = text.partition("<")
    if inner:
        parts = _split(inner.removesuffix(">"))
        if base == "array" and len(parts) == 1:
            return f"{duckdb_type(parts[0])}[]"
        if base == "map" and len(parts) == 2:
            return f"MAP({duckdb_type(parts[0])}, {duckdb_type(parts[1])})"
        if base == "struct":
            fields = [part.partition(":") for part in parts]
            return f"STRUCT({', '.join(f'{quoted(name.strip())} {duckdb_type(kind)}' for name, _, kind in fields)})"
    elif re.fullmatch(r"decimal(\(\d+,\s*\d+\))?", text):
        return text.upper() if "(" in text else "DECIMAL(10,0)"
    elif (name := re.sub(r"\(\d+\)$", "", text)) in _GLUE_SCALARS:
        return _GLUE_SCALARS[name]
    raise not_supported(f"read a column of type {glue!r}")


def trino_type(glue: str) -> str:
    """The type as Trino spells it: ``string`` is varchar, ``array<int>`` is array(integer)."""
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        return exp.DataType.build(glue, dialect="hive").sql("athena")
    except SqlglotError as error:
        raise not_supported(f"read a column of type {glue!r}") from error


def _split(text: str) -> list[str]:
    """The comma-separated parts of a type's inside; commas inside brackets do not separate."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def quoted(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """A DuckDB string literal."""
    return "'" + value.replace("'", "''") + "'"


def children(kind: DuckDBPyType) -> list[tuple[str, Any]]:
    """Names and types (or numbers, for a decimal) a composite DuckDB type is made of."""
    return [(str(name), child) for name, child in kind.children]


def result_column(name: str, kind: DuckDBPyType) -> ResultColumn:
    """How Athena describes a result column of a DuckDB type."""
    if kind.id == "decimal":
        numbers = dict(children(kind))
        return ResultColumn(name, "decimal", numbers["precision"], numbers["scale"])
    if kind.id in ("list", "array"):
        return ResultColumn(name, "array")
    if kind.id in ("struct", "map"):
        return ResultColumn(name, "row" if kind.id == "struct" else "map")
    if kind.id not in _SCALARS:
        raise not_supported(f"return a column of DuckDB's type {kind} ({name!r})")
    _, athena, precision, scale = _SCALARS[kind.id]
    return ResultColumn(name, athena, precision, scale)


def glue_type(name: str, kind: DuckDBPyType) -> str:
    """The Glue type a written column gets; raises what Athena says of a type that Hive does not have."""
    if kind.id == "null":
        raise QueryFailedError("COLUMN_TYPE_UNKNOWN", f"line 1:1: Column type is unknown: {name}")
    if kind.id == "decimal":
        numbers = dict(children(kind))
        return f"decimal({numbers['precision']},{numbers['scale']})"
    if kind.id in ("list", "array"):
        return f"array<{glue_type(name, children(kind)[0][1])}>"
    if kind.id == "struct":
        return f"struct<{','.join(f'{field}:{glue_type(name, child)}' for field, child in children(kind))}>"
    if kind.id == "map":
        return f"map<{','.join(glue_type(name, child) for _, child in children(kind))}>"
    glue, athena, precision, _ = _SCALARS.get(kind.id, ("", str(kind).lower(), 0, 0))
    if not glue:
        shown = athena.replace("timestamp", f"timestamp({precision})") if kind.id.startswith("timestamp") else athena
        raise QueryFailedError("NOT_SUPPORTED", f"Unsupported Hive type: {shown} (column {name!r})")
    return glue


def written_type(kind: DuckDBPyType) -> str:
    """The DuckDB type a column is written to Parquet as, so that the file holds what Athena's would.

    Timestamps are milliseconds without a zone, and sums of integers are 64 bits wide.
    """
    if kind.id in ("list", "array"):
        return f"{written_type(children(kind)[0][1])}[]"
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{quoted(name)} {written_type(child)}' for name, child in children(kind))})"
    if kind.id == "map":
        (_, key), (_, value) = children(kind)
        return f"MAP({written_type(key)}, {written_type(value)})"
    if kind.id.startswith("timestamp") and "zone" not in kind.id:
        return "TIMESTAMP_MS"
    return "BIGINT" if kind.id == "hugeint" else str(kind)

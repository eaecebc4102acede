"""Results as Athena lays them out: a quoted CSV object, its ``.metadata``, and pages of rows read back from it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from asof.local.athena.model import ResultColumn
from asof.local.athena.types import children, quoted, text_literal

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_TEXT_MACROS: Final = {
    "double": "trino_number",
    "float": "trino_number",
    "timestamp": "trino_moment",
    "timestamp with time zone": "trino_varchar",
}
# Every value is in quotes and NULL is nothing at all, so a field is one or the other.
_FIELD = re.compile(r'(?:"((?:[^"]|"")*)")?([,\n])')


def text_sql(kind: DuckDBPyType, value: str, depth: int = 0) -> str:
    """A DuckDB expression for the text Athena shows of a value; NULL stays NULL.

    Arrays are ``[a, b]``, rows ``{name=a}``, maps ``{k=v}``, with ``null`` inside them.
    """
    if kind.id in ("list", "array", "map", "struct"):
        text = _struct(kind, value, depth) if kind.id == "struct" else _items(kind, value, depth)
        return f"CASE WHEN {value} IS NOT NULL THEN {text} END"
    if kind.id == "blob":
        return f"rtrim(regexp_replace(lower(hex({value})), '(..)', '\\1 ', 'g'))"
    if kind.id.startswith("timestamp_"):
        return f"trino_moment(CAST({value} AS TIMESTAMP))"
    macro = _TEXT_MACROS.get(kind.id)
    return f"{macro}({value})" if macro else f"CAST({value} AS VARCHAR)"


def _inside(kind: DuckDBPyType, value: str, depth: int) -> str:
    return f"coalesce({text_sql(kind, value, depth)}, 'null')"


def _struct(kind: DuckDBPyType, value: str, depth: int) -> str:
    fields = [
        f"{text_literal(name + '=')} || {_inside(child, f'{value}[{text_literal(name) if name else number}]', depth)}"
        for number, (name, child) in enumerate(children(kind), 1)
    ]
    joined = " || ', ' || ".join(fields)
    return f"'{{' || {joined} || '}}'"


def _items(kind: DuckDBPyType, value: str, depth: int) -> str:
    """The items of a list or the entries of a map, within their brackets."""
    item, parts = f"v{depth}", [child for _, child in children(kind)]
    if kind.id == "map":
        opening, closing, source = "{", "}", f"map_entries({value})"
        text = (
            f"{_inside(parts[0], f'{item}.key', depth + 1)} || '=' || {_inside(parts[1], f'{item}.value', depth + 1)}"
        )
    else:
        opening, closing, source, text = "[", "]", value, _inside(parts[0], item, depth + 1)
    joined = f"array_to_string(list_transform({source}, lambda {item}: {text}), ', ')"
    return f"'{opening}' || coalesce({joined}, '') || '{closing}'"


def metadata(columns: Sequence[ResultColumn]) -> bytes:
    """The ``.metadata`` object beside a result: its columns. Athena's own encoding is not public; this is JSON."""
    return json.dumps([{"Name": each.name, "Type": each.type} for each in columns]).encode()


def parse_csv(text: str) -> list[list[str | None]]:
    """The lines of a result object; a NULL is None, an empty string is an empty string."""
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    for match in _FIELD.finditer(text):
        row.append(match[1].replace('""', '"') if match[1] is not None else None)
        if match[2] == "\n":
            rows.append(row)
            row = []
    return rows


def result_set(
    columns: Sequence[ResultColumn], rows: Sequence[Sequence[str | None]], update_count: int | None
) -> dict[str, Any]:
    """``GetQueryResults``' answer for one page of rows."""
    described = [
        {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": column.name,
            "Label": column.name,
            "Type": column.type,
            "Precision": column.precision,
            "Scale": column.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": column.type == "varchar",
        }
        for column in columns
    ]
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    answer: dict[str, Any] = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": described}}}
    if update_count is not None:
        answer["UpdateCount"] = update_count
    return answer


def aliases(count: int) -> list[str]:
    """Names for result columns by position: a result may have two columns of one name."""
    return [quoted(f"c{number}") for number in range(count)]

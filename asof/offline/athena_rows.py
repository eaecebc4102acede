"""Athena's GetQueryResults as typed Python rows. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Final

Value = str | int | float | bool | Decimal | datetime | date | None
Row = dict[str, Value]


def _timestamp(text: str) -> datetime:
    """A timestamp without a zone is UTC; fractions finer than a microsecond are floored."""
    whole, _, fraction = text.partition(".")
    value = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    return value.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else value


_PARSE: Final[Mapping[str, Callable[[str], Value]]] = {
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "int": int,
    "bigint": int,
    "float": float,
    "real": float,
    "double": float,
    "decimal": Decimal,
    "boolean": lambda text: text == "true",
    "timestamp": _timestamp,
    "date": date.fromisoformat,
}


def parse_rows(pages: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows of the result sets of all pages, by column name; the first page's heading row is left out.

    Text stays text, and so do types without a plain value here (arrays, maps, zoned times). A missing value is None.
    """
    columns = pages[0]["ResultSetMetadata"]["ColumnInfo"]
    names = [str(column["Name"]) for column in columns]
    parsers = [_PARSE.get(str(column["Type"]).lower(), str) for column in columns]
    texts = [[cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["Rows"]]
    if texts and texts[0] == names:
        texts = texts[1:]
    return [
        {name: None if text is None else parse(text) for name, parse, text in zip(names, parsers, row, strict=True)}
        for row in texts
    ]

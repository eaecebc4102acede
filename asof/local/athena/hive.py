"""Hive-flavoured statements: tables, partitions, databases, SHOW and DESCRIBE. Matched by pattern, form by form."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from asof.local.athena.catalog import TableColumn
from asof.local.athena.errors import InvalidRequestError, not_supported
from asof.local.athena.statements import (
    AlterDatabase,
    AlterPartitions,
    CreateTable,
    DropTable,
    PartitionSpec,
    RepairTable,
    Show,
    Statement,
    TableName,
)

_NAME = r"[`\"]?([\w-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_VALUE = r"'((?:[^']|'')*)'|(-?\d+)"


def parse_hive(text: str, first: str) -> Statement | None:
    """The statement, or None where its form is not known. ``first`` is its first word in upper case."""
    forms = _FORMS.get(first, ())
    for pattern, build in forms:
        match = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.DOTALL)
        if match:
            return build(match)
    return None


def _table(match: re.Match[str], group: int) -> TableName:
    database = match[group]
    return TableName(match[group + 1].lower(), database.lower() if database else None)


def _specs(text: str) -> tuple[PartitionSpec, ...]:
    found = []
    for spec in re.finditer(r"(?is)PARTITION\s*\(([^)]*)\)(?:\s*LOCATION\s*'([^']*)')?", text):
        values = {
            pair[1].lower(): pair[3] if pair[3] is not None else pair[2].replace("''", "'")
            for pair in re.finditer(rf"{_NAME}\s*=\s*(?:{_VALUE})", spec[1])
        }
        found.append(PartitionSpec(values, spec[2]))
    return tuple(found)


def _add(match: re.Match[str]) -> Statement:
    return AlterPartitions(_table(match, 1), add=True, partitions=_specs(match[4]), lenient=bool(match[3]))


def _drop(match: re.Match[str]) -> Statement:
    return AlterPartitions(_table(match, 1), add=False, partitions=_specs(match[4]), lenient=bool(match[3]))


def _create_external(match: re.Match[str]) -> Statement:
    try:
        parsed = sqlglot.parse_one(match[0], read="athena")
    except SqlglotError as error:
        raise InvalidRequestError(f"FAILED: ParseException {error}", code="MALFORMED_QUERY") from error
    if not isinstance(parsed, exp.Create) or not isinstance(parsed.this, exp.Schema):
        raise not_supported("run this form of CREATE EXTERNAL TABLE")
    found = _Properties()
    for each in parsed.args["properties"].expressions:
        found.take(each)
    known = {"parquet": "parquet", "jsonserde": "json"}
    kind = next((kind for word, kind in known.items() if found.serde.lower().endswith(word)), None)
    if kind is None:
        raise not_supported(f"create a table stored as {found.serde or 'text'!r}")
    table = TableName(parsed.this.this.name.lower(), parsed.this.this.text("db").lower() or None)
    return CreateTable(
        table=table,
        columns=_column_definitions(parsed.this),
        partition_keys=found.partition_keys,
        location=found.location,
        serde=kind,
        properties=found.properties,
        if_not_exists=bool(parsed.args.get("exists")),
    )


class _Properties:
    """What follows the columns of CREATE EXTERNAL TABLE."""

    def __init__(self) -> None:
        self.partition_keys: tuple[TableColumn, ...] = ()
        self.location = ""
        self.serde = ""
        self.properties: dict[str, str] = {}

    def take(self, each: exp.Expr) -> None:
        """Note one clause; raises for one that is not known."""
        if isinstance(each, exp.PartitionedByProperty):
            self.partition_keys = _column_definitions(each.this)
        elif isinstance(each, exp.LocationProperty):
            self.location = each.name
        elif isinstance(each, (exp.FileFormatProperty, exp.RowFormatSerdeProperty)):
            self.serde = each.this.name
        elif type(each) is exp.Property:
            self.properties[each.name] = each.args["value"].name
        elif not isinstance(each, exp.ExternalProperty):
            raise not_supported(f"CREATE EXTERNAL TABLE with {each.sql('hive')}")


def _column_definitions(schema: exp.Expr) -> tuple[TableColumn, ...]:
    return tuple(
        TableColumn(column.name.lower(), _hive_type(column.args["kind"]))
        for column in schema.expressions
        if isinstance(column, exp.ColumnDef)
    )


def _hive_type(kind: exp.Expr) -> str:
    return re.sub(r"\s*([<>,:(])\s*", r"\1", kind.sql("hive").lower())


_FORMS: dict[str, tuple[tuple[str, Callable[[re.Match[str]], Statement]], ...]] = {
    "CREATE": (
        (r"CREATE\s+EXTERNAL\s+TABLE\b.*", _create_external),
        (
            rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(IF\s+NOT\s+EXISTS\s+)?{_NAME}",
            lambda match: AlterDatabase(match[2].lower(), create=True, lenient=bool(match[1])),
        ),
    ),
    "DROP": (
        (
            rf"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?{_TABLE}",
            lambda match: DropTable(_table(match, 2), if_exists=bool(match[1])),
        ),
        (
            rf"DROP\s+(?:DATABASE|SCHEMA)\s+(IF\s+EXISTS\s+)?{_NAME}(\s+CASCADE)?",
            lambda match: AlterDatabase(match[2].lower(), create=False, lenient=bool(match[1]), cascade=bool(match[3])),
        ),
    ),
    "ALTER": (
        (rf"ALTER\s+TABLE\s+{_TABLE}\s+ADD\s+(IF\s+NOT\s+EXISTS\s+)?(PARTITION\s*\(.*)", _add),
        (rf"ALTER\s+TABLE\s+{_TABLE}\s+DROP\s+(IF\s+EXISTS\s+)?(PARTITION\s*\(.*)", _drop),
    ),
    "MSCK": ((rf"MSCK\s+REPAIR\s+TABLE\s+{_TABLE}", lambda match: RepairTable(_table(match, 1))),),
    "SHOW": (
        (r"SHOW\s+(?:DATABASES|SCHEMAS)", lambda _: Show("databases")),
        (rf"SHOW\s+TABLES(?:\s+IN\s+{_NAME})?", lambda match: Show("tables", database=match[1])),
        (rf"SHOW\s+PARTITIONS\s+{_TABLE}", lambda match: Show("partitions", _table(match, 1))),
        (rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}", lambda match: Show("columns", _table(match, 1))),
    ),
    "DESCRIBE": ((rf"DESCRIBE\s+{_TABLE}", lambda match: Show("describe", _table(match, 1))),),
}

"""Statements about the catalog: tables, partitions, databases, SHOW and DESCRIBE."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from asof.local.athena.catalog import PARQUET_STORAGE, Table
from asof.local.athena.engine import Engine
from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.model import Context, Outcome, ResultColumn
from asof.local.athena.objects import folder
from asof.local.athena.results import metadata
from asof.local.athena.statements import (
    AlterDatabase,
    AlterPartitions,
    CreateTable,
    DropTable,
    PartitionSpec,
    RepairTable,
    Show,
)

_JSON_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe", "Parameters": {}},
}


def run(
    engine: Engine,
    statement: CreateTable | DropTable | AlterPartitions | RepairTable | AlterDatabase,
    context: Context,
) -> Outcome:
    """Change the catalog."""
    match statement:
        case CreateTable():
            _create_table(engine, statement, context)
        case DropTable(table, if_exists):
            database = table.database or context.database
            if not if_exists or engine.catalog.exists(database, table.name):
                engine.catalog.drop_table(database, table.name)
        case AlterPartitions():
            _alter_partitions(engine, statement, context)
        case RepairTable(table):
            _repair(engine, engine.catalog.table(table.database or context.database, table.name))
        case AlterDatabase(name, create, lenient, cascade):
            if create:
                engine.catalog.create_database(name, if_not_exists=lenient)
            else:
                engine.catalog.drop_database(name, if_exists=lenient, cascade=cascade)
    words = {
        CreateTable: "CREATE_TABLE",
        DropTable: "DROP_TABLE",
        AlterPartitions: "ALTER_TABLE",
        RepairTable: "MSCK_REPAIR",
        AlterDatabase: "CREATE_DATABASE",
    }
    return text_result(engine, context, ("DDL", words[type(statement)]), [], [])


def _create_table(engine: Engine, statement: CreateTable, context: Context) -> None:
    database = statement.table.database or context.database
    if statement.if_not_exists and engine.catalog.exists(database, statement.table.name):
        return
    if not statement.location:
        raise QueryFailedError("", "FAILED: SemanticException: No location was given for the external table")
    storage = PARQUET_STORAGE if statement.serde == "parquet" else _JSON_STORAGE
    engine.catalog.create_table(
        database,
        {
            "Name": statement.table.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **statement.properties},
            "PartitionKeys": [{"Name": key.name, "Type": key.type} for key in statement.partition_keys],
            "StorageDescriptor": {
                **storage,
                "Columns": [{"Name": column.name, "Type": column.type} for column in statement.columns],
                "Location": folder(statement.location),
            },
        },
    )


def _alter_partitions(engine: Engine, statement: AlterPartitions, context: Context) -> None:
    table = engine.catalog.table(statement.table.database or context.database, statement.table.name)
    for spec in statement.partitions:
        values = _values(table, spec)
        if statement.add:
            location = spec.location or _default_location(table, values)
            engine.catalog.add_partition(table, values, folder(location), if_not_exists=statement.lenient)
        else:
            engine.catalog.drop_partition(table, values, if_exists=statement.lenient)


def _values(table: Table, spec: PartitionSpec) -> list[str]:
    names = [key.name for key in table.partition_keys]
    if set(names) != set(spec.values):
        raise QueryFailedError(
            "", f"FAILED: SemanticException: Partition spec {dict(spec.values)} does not name the keys {names}"
        )
    return [spec.values[name] for name in names]


def _default_location(table: Table, values: Sequence[str]) -> str:
    parts = (f"{key.name}={value}" for key, value in zip(table.partition_keys, values, strict=True))
    return f"{folder(table.location)}{'/'.join(parts)}"


def _repair(engine: Engine, table: Table) -> None:
    base, keys = folder(table.location), [key.name for key in table.partition_keys]
    for item in engine.objects.listing().under(base):
        parts = [part.partition("=") for part in item.uri[len(base) :].split("/")[: len(keys)]]
        if [name.lower() for name, _, _ in parts] == keys:
            place = "/".join(f"{name}={value}" for name, _, value in parts)
            engine.catalog.add_partition(
                table, [unquote(value) for _, _, value in parts], f"{base}{place}/", if_not_exists=True
            )


def show(engine: Engine, statement: Show, context: Context) -> Outcome:
    """List what the catalog has."""
    if statement.what == "databases":
        rows, names = [[name] for name in engine.catalog.databases()], ["database_name"]
    elif statement.what == "tables":
        rows = [[name] for name in engine.catalog.tables((statement.database or context.database).lower())]
        names = ["tab_name"]
    elif statement.table is not None:
        table = engine.catalog.table(statement.table.database or context.database, statement.table.name)
        rows, names = _about(engine, statement.what, table)
    else:
        raise not_supported(f"run SHOW {statement.what.upper()}")
    return text_result(engine, context, ("UTILITY", f"SHOW_{statement.what.upper()}"), rows, names)


def _about(engine: Engine, what: str, table: Table) -> tuple[list[list[str]], list[str]]:
    if what == "partitions":
        listed = [
            "/".join(f"{key.name}={value}" for key, value in zip(table.partition_keys, each.values, strict=True))
            for each in engine.catalog.partitions(table)
        ]
        return [[line] for line in sorted(listed)], ["partition"]
    declared = [*table.columns, *table.partition_keys]
    if what == "columns":
        return [[column.name] for column in declared], ["field"]
    rows = [[f"{column.name:<20}", f"{column.type:<20}", f"{'':<20}"] for column in declared]
    if table.partition_keys:
        rows.append(["", "", ""])
        rows.append(["# Partition Information", "", ""])
        rows.append([f"{'# col_name':<20}", f"{'data_type':<20}", f"{'comment':<20}"])
        rows.extend([f"{key.name:<20}", f"{key.type:<20}", f"{'':<20}"] for key in table.partition_keys)
    return rows, ["col_name", "data_type", "comment"]


def text_result(
    engine: Engine, context: Context, words: tuple[str, str], rows: Sequence[Sequence[str]], names: Sequence[str]
) -> Outcome:
    """A result as these statements have it: tab-separated text without a header."""
    output = f"{context.results}{context.query_id}.txt"
    columns = tuple(ResultColumn(name, "string") for name in names)
    engine.objects.write(output, "".join("\t".join(row) + "\n" for row in rows).encode())
    engine.objects.write(f"{output}.metadata", metadata(columns))
    return Outcome(*words, output, columns=columns)

"""UNLOAD, CREATE TABLE AS and INSERT INTO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asof.local.athena.catalog import PARQUET_STORAGE, Table
from asof.local.athena.engine import Engine, Prepared
from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.model import Context, Outcome, ResultColumn
from asof.local.athena.objects import folder
from asof.local.athena.results import metadata
from asof.local.athena.statements import CreateTableAs, InsertInto, Unload
from asof.local.athena.types import duckdb_type, glue_type, quoted
from asof.local.athena.write import OutputColumn, Rows, Target, Written, check_columns, write

_ROWS = (ResultColumn("rows", "bigint", 19),)


def run(engine: Engine, statement: Unload | CreateTableAs | InsertInto, context: Context) -> Outcome:
    """Run a statement that writes rows."""
    with engine.prepare(statement.query, context.database, context.cutoff) as prepared:
        if isinstance(statement, Unload):
            written, words = _unload(engine, statement, prepared, context), ("DML", "UNLOAD")
        elif isinstance(statement, CreateTableAs):
            written, words = _create(engine, statement, prepared, context), ("DDL", "CREATE_TABLE_AS_SELECT")
        else:
            written, words = _insert(engine, statement, prepared, context), ("DML", "INSERT")
        manifest = f"{context.results}{context.query_id}-manifest.csv"
        engine.objects.write(manifest, "".join(f"{uri}\n" for uri in written.files).encode())
        engine.objects.write(f"{context.results}{context.query_id}.metadata", metadata(_ROWS))
        return Outcome(
            *words,
            output=f"{context.results}{context.query_id}",
            manifest=manifest,
            columns=_ROWS,
            scanned_bytes=prepared.scanned_bytes,
            update_count=written.rows,
        )


def _empty(engine: Engine, location: str, what: str) -> None:
    if not engine.objects.listing().is_empty(location):
        raise QueryFailedError(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory for {what} already exists and is not empty: {location}"
        )


def _unload(engine: Engine, statement: Unload, prepared: Prepared, context: Context) -> Written:
    check_columns(prepared.columns, prepared.names_given, statement.partitioned_by)
    _empty(engine, statement.location, "UNLOAD")
    compression = statement.compression or "GZIP"
    partitions = statement.partitioned_by
    target = Target(context.query_id, statement.location, statement.format, compression, partitions, engine.writers)
    return write(engine.objects, prepared.rows, target)


def _create(engine: Engine, statement: CreateTableAs, prepared: Prepared, context: Context) -> Written:
    if statement.format != "PARQUET":
        raise not_supported(f"create a table stored as {statement.format}")
    if statement.external_location and context.enforced:
        raise QueryFailedError(
            "INVALID_TABLE_PROPERTY",
            "The Create Table As Select query failed because it was submitted with an 'external_location' property to "
            "an Athena Workgroup that enforces a centralized output location for all queries",
        )
    database = statement.table.database or context.database
    if engine.catalog.exists(database, statement.table.name):
        raise QueryFailedError(
            "TABLE_ALREADY_EXISTS",
            f"line 1:1: Table 'awsdatacatalog.{database}.{statement.table.name}' already exists",
        )
    check_columns(prepared.columns, prepared.names_given, statement.partitioned_by)
    location = folder(statement.external_location or f"{context.results}tables/{context.query_id}")
    _empty(engine, location, f"table '{database}.{statement.table.name}'")
    compression = statement.compression or "GZIP"
    partitions = statement.partitioned_by
    target = Target(context.query_id, location, "PARQUET", compression, partitions, engine.writers)
    written = write(engine.objects, prepared.rows, target)
    engine.catalog.create_table(database, _table_input(statement.table.name, prepared.columns, target))
    _add_partitions(engine, engine.catalog.table(database, statement.table.name), written)
    return written


def _table_input(name: str, columns: Sequence[OutputColumn], target: Target) -> dict[str, Any]:
    described = [{"Name": column.name, "Type": glue_type(column.name, column.type)} for column in columns]
    data = len(described) - len(target.partitioned_by)
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": described[data:],
        "StorageDescriptor": {**PARQUET_STORAGE, "Columns": described[:data], "Location": target.location},
    }


def _add_partitions(engine: Engine, table: Table, written: Written) -> None:
    for values, location in written.partitions:
        engine.catalog.add_partition(table, values, location, if_not_exists=True)


def _insert(engine: Engine, statement: InsertInto, prepared: Prepared, context: Context) -> Written:
    table = engine.catalog.table(statement.table.database or context.database, statement.table.name)
    if table.format != "parquet":
        raise not_supported(f"insert into a table stored as {table.format}")
    declared = [*table.columns, *table.partition_keys]
    given = list(statement.columns) or [column.name for column in declared]
    if len(given) != len(prepared.columns) or not set(given) <= {column.name for column in declared}:
        raise QueryFailedError(
            "TYPE_MISMATCH",
            f"line 1:1: Insert query has mismatched column types: Table: {[column.name for column in declared]}, "
            f"Query: {[column.name for column in prepared.columns]}",
        )
    names = [quoted(f"_{position}") for position in range(len(given))]
    values = dict(zip(given, names, strict=True))
    shown = ", ".join(
        f"CAST({values.get(column.name, 'NULL')} AS {duckdb_type(column.type)}) AS {quoted(column.name)}"
        for column in declared
    )
    sql = f"SELECT {shown} FROM ({prepared.sql}) AS s({', '.join(names)})"  # noqa: S608 # generated, names are quoted
    columns = [OutputColumn(each[0], each[1]) for each in prepared.cursor.execute(f"{sql} LIMIT 0").description or []]
    keys = tuple(key.name for key in table.partition_keys)
    target = Target(context.query_id, table.location, partitioned_by=keys, writers=engine.writers)
    written = write(engine.objects, Rows(prepared.cursor, sql, columns), target)
    _add_partitions(engine, table, written)
    return written

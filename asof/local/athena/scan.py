"""A statement's tables become DuckDB views over local copies of the objects, columns by their declared Glue types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from asof.clock import Clock
from asof.local.athena.catalog import Catalog, Partition, Table
from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.objects import Listing, ObjectStore, StoredObject
from asof.local.athena.parquet import Footer, Footers, coarse, readable, zoned_nanoseconds
from asof.local.athena.projection import is_projected, projected
from asof.local.athena.pruning import prune
from asof.local.athena.types import duckdb_type, quoted, text_literal


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    item: StoredObject
    footer: Footer | None


class Scanner:
    """Binds the tables of statements."""

    def __init__(self, catalog: Catalog, objects: ObjectStore, clock: Clock) -> None:
        self._clock = clock
        self._catalog = catalog
        self._objects = objects
        self._footers = Footers()

    def bind(self, cursor: duckdb.DuckDBPyConnection, query: exp.Query, database: str) -> int:
        """Point each table reference of the query, in place, at a temporary view; returns the bytes to be scanned.

        Bytes are the compressed column chunks of the columns the statement names anywhere (all of them where it says
        ``*``), over the files of the partitions that are left; for JSON and CSV the objects' sizes.
        """
        listing = self._objects.listing()
        used = _used_columns(query)
        named: set[tuple[str, str]] = set()
        total = 0
        for number, reference in enumerate(_table_references(query)):
            table = self._catalog.table(reference.text("db").lower() or database, reference.name.lower())
            files = self._files(cursor, table, reference, listing)
            view = f"_scan_{number}"
            cursor.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {_view(table, files)}")
            total += sum(_bytes(file, used) for file in files)
            if not reference.alias:
                named.add((reference.text("db"), reference.name))
                reference.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
            reference.set("this", exp.to_identifier(view))
            reference.set("db", None)
            reference.set("catalog", None)
        for column in query.find_all(exp.Column):
            # Not every a.b.c names a database: it may be a field of a row column.
            if (column.text("db"), column.text("table")) in named:
                column.set("db", None)
                column.set("catalog", None)
        return total

    def _files(
        self, cursor: duckdb.DuckDBPyConnection, table: Table, reference: exp.Table, listing: Listing
    ) -> list[_File]:
        if table.partition_keys:
            there = projected(table, listing, self._clock) if is_projected(table) else self._catalog.partitions(table)
            partitions = prune(cursor, table, there, reference)
        else:
            partitions = [Partition((), table.location)]
        files = []
        for partition in partitions:
            place = [(key.name, value) for key, value in zip(table.partition_keys, partition.values, strict=True)]
            for item in listing.under(partition.location) if partition.location else []:
                path = self._objects.localize(item, place)
                footer = self._footers.of(path, item.uri) if table.format == "parquet" else None
                files.append(_File(path, item, footer))
        return files


def _table_references(query: exp.Query) -> list[exp.Table]:
    """The references of catalog tables, each once; names of WITH queries are none."""
    found: dict[int, exp.Table] = {}
    try:
        for scope in traverse_scope(query):
            for source in scope.sources.values():
                if isinstance(source, exp.Table):
                    found[id(source)] = source
    except SqlglotError as error:
        raise QueryFailedError("SYNTAX_ERROR", str(error)) from error
    for table in found.values():
        if not isinstance(table.this, exp.Identifier):
            raise not_supported(f"read from {table.sql('athena')}")
        if table.text("db").lower() == "information_schema":
            raise not_supported("read information_schema (use SHOW or Glue's API)")
    return list(found.values())


def _used_columns(query: exp.Query) -> frozenset[str] | None:
    """Names of all columns a statement speaks of; None where it says ``*``."""
    for star in query.find_all(exp.Star):
        if not isinstance(star.parent, exp.Count):
            return None
    # All parts of a name: in a.b.c the column may be b, with c a field of it.
    return frozenset(part.name.lower() for column in query.find_all(exp.Column) for part in column.parts)


def _bytes(file: _File, used: frozenset[str] | None) -> int:
    if file.footer is None:
        return file.item.size
    return sum(size for name, size in file.footer.sizes.items() if used is None or name in used)


def _view(table: Table, files: Sequence[_File]) -> str:
    """The SELECT that reads the files as the table's columns, then its partition columns."""
    declared = [*table.columns, *table.partition_keys]
    if not files:
        nulls = ", ".join(f"CAST(NULL AS {duckdb_type(each.type)}) AS {quoted(each.name)}" for each in declared)
        return f"SELECT {nulls} WHERE false"
    reader = {"parquet": _parquet, "json": _json, "csv": _csv}[table.format](table, files)
    partition_names = {key.name for key in table.partition_keys}
    present = _present(table, files)
    columns = []
    for each in declared:
        name, kind = quoted(each.name), duckdb_type(each.type)
        if each.name not in partition_names and each.name not in present:
            columns.append(f"CAST(NULL AS {kind}) AS {name}")
        elif kind == "TIMESTAMP":
            columns.append(f"{_moment(name, [_arrow(file, each.name) for file in files])} AS {name}")
        else:
            columns.append(f"CAST({name} AS {kind}) AS {name}")
    return f"SELECT {', '.join(columns)} FROM {reader}"  # noqa: S608 # generated, names are quoted


def _arrow(file: _File, name: str) -> Any:
    return file.footer.types.get(name) if file.footer is not None else None


def _moment(name: str, types: Sequence[Any]) -> str:
    """A timestamp column, rounded where a file's type is finer than milliseconds."""
    if any(each is not None and zoned_nanoseconds(each) for each in types):
        return f"trino_timestamp(CAST({name} AS TIMESTAMPTZ))"
    if all(each is None or coarse(each) for each in types):
        return f"CAST({name} AS TIMESTAMP)"
    return f"trino_timestamp({name})"


def _present(table: Table, files: Sequence[_File]) -> set[str]:
    """The declared columns that at least one file has; checks that Athena could read them."""
    if table.format != "parquet":
        return {column.name for column in table.columns}
    present = set()
    for file in files:
        types = file.footer.types if file.footer is not None else {}
        for column in table.columns:
            if column.name not in types:
                continue
            present.add(column.name)
            if not readable(column.type, types[column.name]):
                raise QueryFailedError(
                    "HIVE_BAD_DATA",
                    f"Malformed Parquet file. Field {column.name}'s type {types[column.name]} in parquet file "
                    f"{file.item.uri} is incompatible with type {column.type} defined in table schema",
                )
    return present


def _partitioning(table: Table) -> str:
    if not table.partition_keys:
        return "hive_partitioning = false"
    kinds = ", ".join(f"{text_literal(key.name)}: {duckdb_type(key.type)}" for key in table.partition_keys)
    return f"hive_partitioning = true, hive_types_autocast = false, hive_types = {{{kinds}}}"


def _paths(files: Sequence[_File]) -> str:
    return f"[{', '.join(text_literal(str(file.path)) for file in files)}]"


def _parquet(table: Table, files: Sequence[_File]) -> str:
    shapes = {tuple(file.footer.types) for file in files if file.footer is not None}
    union = "true" if len(shapes) > 1 else "false"
    # By Parquet's rules least and greatest values say nothing of NaN; DuckDB would conclude that there is none.
    return f"read_parquet({_paths(files)}, union_by_name = {union}, {_partitioning(table)}, can_have_nan = true)"


def _fields(table: Table) -> str:
    return ", ".join(f"{text_literal(each.name)}: {text_literal(duckdb_type(each.type))}" for each in table.columns)


def _json(table: Table, files: Sequence[_File]) -> str:
    return (
        f"read_json({_paths(files)}, format = 'newline_delimited', columns = {{{_fields(table)}}}, "
        f"{_partitioning(table)})"
    )


def _csv(table: Table, files: Sequence[_File]) -> str:
    separator = table.serde.get("separatorChar") or table.serde.get("field.delim") or ","
    header = "true" if (table.input.get("Parameters") or {}).get("skip.header.line.count") == "1" else "false"
    return (
        f"read_csv({_paths(files)}, columns = {{{_fields(table)}}}, delim = {text_literal(separator)}, "
        f"header = {header}, {_partitioning(table)})"
    )

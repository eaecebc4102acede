"""Writing a query's rows as objects: what UNLOAD, CREATE TABLE AS and INSERT INTO have in common."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import duckdb

from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.objects import ObjectStore, folder
from asof.local.athena.results import aliases, text_sql
from asof.local.athena.types import glue_type, quoted, text_literal, written_type

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

PARTITION_LIMIT: Final = 100
"""Partitions one statement may write; Athena's own limit."""

_WRITER: Final = "_writer"
_COMPRESSIONS: Final = {"PARQUET": ("GZIP", "SNAPPY", "ZSTD", "NONE"), "JSON": ("GZIP", "NONE")}


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column to be written."""

    name: str
    type: DuckDBPyType


@dataclass(frozen=True, slots=True)
class Rows:
    """DuckDB's SQL of the rows to be written, the cursor to run it on, and its columns."""

    cursor: duckdb.DuckDBPyConnection
    sql: str
    columns: Sequence[OutputColumn]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: object URIs, rows, and per partition its values and location."""

    files: tuple[str, ...]
    rows: int
    partitions: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how rows are written.

    ``query_id`` begins the files' names; ``partitioned_by`` names the last columns; ``writers`` is the number of files
    that the rows of each partition are spread over.
    """

    query_id: str
    location: str
    format: str = "PARQUET"
    compression: str = "GZIP"
    partitioned_by: tuple[str, ...] = ()
    writers: int = 1


def check_columns(columns: Sequence[OutputColumn], names_given: Sequence[bool], partitioned_by: Sequence[str]) -> None:
    """Raise what Athena raises for columns that a table or a file cannot have."""
    for position, (column, named) in enumerate(zip(columns, names_given, strict=True), 1):
        if not named:
            raise QueryFailedError("MISSING_COLUMN_NAME", f"line 1:1: Column name not specified at position {position}")
        glue_type(column.name, column.type)
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise QueryFailedError("DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{name}' specified more than once")
    if partitioned_by and names[-len(partitioned_by) :] != list(partitioned_by):
        raise QueryFailedError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the table properties: "
            f"[{', '.join(partitioned_by)}]",
        )
    if partitioned_by and len(partitioned_by) == len(names):
        raise QueryFailedError("INVALID_TABLE_PROPERTY", "a table needs at least one column that is no partition key")


def write(objects: ObjectStore, rows: Rows, target: Target) -> Written:
    """Run a DuckDB query and put its rows under the target's location. No rows write no object."""
    compressions = _COMPRESSIONS.get(target.format)
    if compressions is None:
        raise not_supported(f"write {target.format}")
    if target.compression not in compressions:
        raise QueryFailedError(
            "INVALID_TABLE_PROPERTY", f"{target.format} cannot be compressed with {target.compression}"
        )
    work = Path(tempfile.mkdtemp(prefix="asof-write-"))
    try:
        return _publish(objects, target, work, _copy(rows, target, work))
    finally:
        shutil.rmtree(work)


def _copy(rows: Rows, target: Target, work: Path) -> int:
    """Write the rows to local files; returns how many there are."""
    names = aliases(len(rows.columns))
    shown = ", ".join(
        f"{_value(alias, column, target)} AS {quoted(column.name)}"
        for alias, column in zip(names, rows.columns, strict=True)
    )
    compressed = "uncompressed" if target.compression == "NONE" else target.compression.lower()
    options = [f"FORMAT {target.format.lower()}", f"COMPRESSION {compressed}"]
    folders = [quoted(name) for name in target.partitioned_by]
    if target.writers > 1:
        folders.append(quoted(_WRITER))
        shown += f", row_number() OVER () % {target.writers} AS {quoted(_WRITER)}"
    path = work if folders else work / "data"
    if folders:
        options.append(f"PARTITION_BY ({', '.join(folders)})")
    copied = rows.cursor.execute(
        f"COPY (SELECT {shown} FROM ({rows.sql}) AS q({', '.join(names)})) "  # noqa: S608 # generated, names are quoted
        f"TO {text_literal(str(path))} ({', '.join(options)})"
    ).fetchone()
    return int(copied[0]) if copied else 0


def _value(alias: str, column: OutputColumn, target: Target) -> str:
    """The value as the format holds it; JSON holds times as text."""
    if target.format == "JSON" and column.type.id.startswith("timestamp"):
        return text_sql(column.type, alias)
    return f"CAST({alias} AS {written_type(column.type)})"


def _publish(objects: ObjectStore, target: Target, work: Path, rows: int) -> Written:
    """Copy the written files to S3 under names as Athena gives them."""
    local = sorted(path for path in work.rglob("*") if path.is_file()) if rows else []
    if len({tuple(_partition(path, work)) for path in local}) > PARTITION_LIMIT:
        raise QueryFailedError(
            "HIVE_TOO_MANY_OPEN_PARTITIONS", f"Exceeded limit of {PARTITION_LIMIT} open writers for partitions/buckets"
        )
    base, suffix = folder(target.location), ".gz" if target.format == "JSON" and target.compression == "GZIP" else ""
    files, partitions = [], {}
    for path in local:
        parts = _partition(path, work)
        location = base + "".join(f"{name}={_escape(unquote(value))}/" for name, _, value in parts)
        uri = f"{location}{target.query_id.replace('-', '')[:20]}_{uuid.uuid4()}{suffix}"
        objects.write(uri, path.read_bytes())
        files.append(uri)
        if parts:
            partitions[tuple(unquote(value) for _, _, value in parts)] = location
    return Written(tuple(files), rows, tuple(partitions.items()))


def _partition(path: Path, work: Path) -> list[tuple[str, str, str]]:
    """The ``name=value`` folders a file is in, apart from its writer's."""
    parts = [part.partition("=") for part in path.parent.relative_to(work).parts]
    return [part for part in parts if part[0] != _WRITER]


def _escape(value: str) -> str:
    """A partition value in a path, as Hive escapes it: fewer characters than URLs do, spaces among those that stay."""
    special = set("\"#%'*/:=?\\\x7f{[]^") | {chr(code) for code in range(1, 32)}
    return "".join(f"%{ord(char):02X}" if char in special else char for char in value)

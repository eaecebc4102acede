"""Glue tables as DuckDB views: partitions from Glue, their Parquet from S3 through a cache of local files."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from sqlglot import exp

from asof.errors import QueryError
from asof.offline.objects import ObjectCache, folder_uri, list_objects, split_uri

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class LocalTable:
    """A Glue table and local copies of its objects.

    ``columns`` and ``partition_keys`` map names to DuckDB types. A file's folders spell its partition as Hive does.
    """

    name: str
    columns: Mapping[str, str]
    partition_keys: Mapping[str, str]
    files: Sequence[Path]
    bytes: int


class LocalTables:
    """Brings tables of the Glue catalog to this machine; objects that are there already are not read again."""

    def __init__(self, glue: Any, s3: Any, folder: Path | None = None) -> None:
        self._glue = glue
        self._s3 = s3
        self._cache = ObjectCache(s3, folder or process_cache())

    def table(self, database: str, name: str, dates: tuple[str, str] | None = None) -> LocalTable:
        """The table with its Parquet on this machine.

        ``dates`` bounds the partition key ``event_date``, inclusive; other partitions are not even listed in S3.
        Raises QueryError where the table does not exist, is not Parquet, or cannot be read.
        """
        table = self._get(database, name)
        storage = table["StorageDescriptor"]
        if "parquet" not in storage.get("SerdeInfo", {}).get("SerializationLibrary", "").lower():
            raise QueryError(f"table {database}.{name} is not Parquet, which is all that this engine reads; use Athena")
        keys = {key["Name"]: duckdb_type(key["Type"]) for key in table.get("PartitionKeys", ())}
        objects = [
            (each, "/".join(f"{key}={quote(value, safe='')}" for key, value in zip(keys, values, strict=True)))
            for location, values in self._locations(table, tuple(keys), dates)
            for each in list_objects(self._s3, *split_uri(folder_uri(location)))
        ]
        return LocalTable(
            name,
            {column["Name"]: duckdb_type(column["Type"]) for column in storage["Columns"]},
            keys,
            self._cache.paths(objects),
            sum(each.size for each, _ in objects),
        )

    def files(self, location: str) -> tuple[list[Path], int]:
        """Local copies of the objects under an S3 prefix, and their bytes in all."""
        objects = list(list_objects(self._s3, *split_uri(folder_uri(location))))
        return self._cache.paths((each, "") for each in objects), sum(each.size for each in objects)

    def _get(self, database: str, name: str) -> dict[str, Any]:
        try:
            table: dict[str, Any] = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"table {database}.{name} cannot be read from the Glue catalog: {error}") from error
        return table

    def _locations(
        self, table: Mapping[str, Any], keys: tuple[str, ...], dates: tuple[str, str] | None
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Where the table's rows lie, with the partition values of each place."""
        if not keys:
            yield str(table["StorageDescriptor"]["Location"]), ()
            return
        if table.get("Parameters", {}).get("projection.enabled") == "true":
            yield from self._projected(folder_uri(table["StorageDescriptor"]["Location"]), keys)
            return
        day = keys.index("event_date") if "event_date" in keys else 0
        try:
            pages = self._glue.get_paginator("get_partitions").paginate(
                DatabaseName=table["DatabaseName"], TableName=table["Name"], ExcludeColumnSchema=True
            )
            for partition in (each for page in pages for each in page["Partitions"]):
                values = tuple(partition["Values"])
                if dates is None or dates[0] <= values[day] <= dates[1]:
                    yield str(partition["StorageDescriptor"]["Location"]), values
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"the partitions of {table['Name']} cannot be read from Glue: {error}") from error

    def _projected(self, location: str, keys: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The folders of a table whose partitions follow a rule (``<key>=<value>/``) instead of being registered."""
        folders = "".join(f"{re.escape(key)}=([^/]+)/" for key in keys)
        bucket, prefix = split_uri(location)
        pattern = re.compile(re.escape(prefix) + folders)
        found = {
            match[0]: match.groups()
            for each in list_objects(self._s3, bucket, prefix)
            if (match := pattern.match(each.key))
        }
        for folder, values in found.items():
            yield f"s3://{bucket}/{folder}", values


@functools.cache
def process_cache() -> Path:
    """A folder for cached objects that goes when the process ends, so that no data stays on the machine unasked."""
    folder = tempfile.mkdtemp(prefix="asof-objects-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def create_view(connection: duckdb.DuckDBPyConnection, table: LocalTable, schema: str = "main") -> None:
    """The table as a view ``schema.name``, with exactly Glue's columns and types, partition keys last."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quote(schema)}")
    connection.execute(f"CREATE OR REPLACE VIEW {_quote(schema)}.{_quote(table.name)} AS {_select(connection, table)}")


def duckdb_type(glue_type: str) -> str:
    """DuckDB's name of a Glue type."""
    return exp.DataType.build(glue_type, dialect="hive").sql("duckdb")


def parquet_scan(files: Sequence[Path], *, partitioned: bool = False) -> str:
    """What stands in FROM for Parquet files; ``partitioned``: their folders spell partition keys, as text."""
    paths = ", ".join(_text(str(path)) for path in files)
    hive = "true" if partitioned else "false"
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = {hive}, hive_types_autocast = false)"


def _select(connection: duckdb.DuckDBPyConnection, table: LocalTable) -> str:
    typed = {**table.columns, **table.partition_keys}
    if not table.files:
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {_quote(name)}" for name, kind in typed.items())
        return f"SELECT {nothing} WHERE false"
    read = parquet_scan(table.files, partitioned=bool(table.partition_keys))
    held = {column.lower() for column in connection.sql(f"FROM {read}").columns}
    columns = ", ".join(
        f"CAST({_quote(name) if name.lower() in held else 'NULL'} AS {kind}) AS {_quote(name)}"
        for name, kind in typed.items()
    )
    return f"SELECT {columns} FROM {read}"  # noqa: S608  # every name and path in it is quoted above


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

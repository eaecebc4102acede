"""Glue tables as DuckDB views: partitions from Glue, their Parquet from S3 through a cache of local files."""

from __future__ import annotations

import atexit
import functools
import os.path
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlglot import exp

from asof.offline.catalog import parquet_table_of, places
from asof.offline.objects import ObjectCache, S3Object, folder_uri, list_objects, split_uri

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

        ``dates`` bounds the partition key ``event_date``, inclusive; the objects of other partitions are not read.
        Raises QueryError where the table does not exist, is not Parquet, or cannot be read.
        """
        table = parquet_table_of(self._glue, database, name)
        storage = table["StorageDescriptor"]
        keys = {key["Name"]: duckdb_type(key["Type"]) for key in table.get("PartitionKeys", ())}
        # What has no event date is pruned by its first key, which is its date wherever one is asked for.
        pruned = "event_date" if "event_date" in keys else next(iter(keys), "")
        bounds = {} if dates is None else {pruned: dates}
        found: dict[str, list[tuple[str, ...]]] = {}
        for location, values in places(self._glue, self._s3, table, bounds):
            found.setdefault(folder_uri(location), []).append(values)
        objects = [
            (each, "/".join(f"{key}={quote(value, safe='')}" for key, value in zip(keys, values, strict=True)))
            for each, values in self._objects(folder_uri(storage["Location"]), found)
        ]
        return LocalTable(
            name,
            {column["Name"]: duckdb_type(column["Type"]) for column in storage["Columns"]},
            keys,
            self._cache.paths(objects),
            sum(each.size for each, _ in objects),
        )

    def _objects(
        self, root: str, found: Mapping[str, Sequence[tuple[str, ...]]]
    ) -> Iterator[tuple[S3Object, tuple[str, ...]]]:
        """The objects of all places, with the partition values of each.

        Places below the table's own are listed together, which takes a call per thousand objects, not one per place.
        """
        below = [place for place in found if place.startswith(root)]
        together = os.path.commonprefix(below)  # noqa: RUF071  # S3's prefixes are of characters, not of folders
        for each in list_objects(self._s3, *split_uri(together)) if below else ():
            folder = _within(each.uri, found)
            yield from ((each, values) for values in (found[folder] if folder else ()))
        for place in (each for each in found if not each.startswith(root)):
            for each in list_objects(self._s3, *split_uri(place)):
                yield from ((each, values) for values in found[place])

    def files(self, location: str) -> tuple[list[Path], int]:
        """Local copies of the objects under an S3 prefix, and their bytes in all."""
        objects = list(list_objects(self._s3, *split_uri(folder_uri(location))))
        return self._cache.paths((each, "") for each in objects), sum(each.size for each in objects)


@functools.cache
def process_cache() -> Path:
    """A folder for cached objects that goes when the process ends, so that no data stays on the machine unasked."""
    folder = tempfile.mkdtemp(prefix="asof-objects-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def create_view(
    connection: duckdb.DuckDBPyConnection, table: LocalTable, schema: str = "main", *, own: bool = False
) -> None:
    """The table as a view ``schema.name``, with exactly Glue's columns and types, partition keys last.

    ``own``: Asof wrote its files, so each has all columns; one that has not is an error of DuckDB's when it is read.
    Elsewhere a column that a file lacks is NULL there.
    """
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quote(schema)}")
    select = _select(connection, table, own=own)
    connection.execute(f"CREATE OR REPLACE VIEW {_quote(schema)}.{_quote(table.name)} AS {select}")


@functools.cache
def duckdb_type(glue_type: str) -> str:
    """DuckDB's name of a Glue type."""
    return exp.DataType.build(glue_type, dialect="hive").sql("duckdb")


def parquet_scan(files: Sequence[Path], *, partitioned: bool = False, alike: bool = False) -> str:
    """What stands in FROM for Parquet files; ``partitioned``: their folders spell partition keys, as text.

    It has the columns of all files, in types that hold the values of all. ``alike``: it has those of the first file, in
    its types, and the others are only opened when they are read.

    By Parquet's rules least and greatest values say nothing of NaN. DuckDB concludes from them that there is none, and
    answers wrongly, unless it is told that there may be (duckdb/duckdb#25521).
    """
    paths = ", ".join(_text(str(path)) for path in files)
    hive = f"hive_partitioning = {'true' if partitioned else 'false'}, hive_types_autocast = false"
    union = "false" if alike else "true"
    return f"read_parquet([{paths}], union_by_name = {union}, {hive}, can_have_nan = true)"


def _select(connection: duckdb.DuckDBPyConnection, table: LocalTable, *, own: bool) -> str:
    typed = {**table.columns, **table.partition_keys}
    if not table.files:
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {_quote(name)}" for name, kind in typed.items())
        return f"SELECT {nothing} WHERE false"
    alike = own and _has_columns(connection, table.files[0], table.columns)
    read = parquet_scan(table.files, partitioned=bool(table.partition_keys), alike=alike)
    held = {column.lower() for column in (typed if alike else connection.sql(f"FROM {read}").columns)}
    columns = ", ".join(
        f"CAST({_quote(name) if name.lower() in held else 'NULL'} AS {kind}) AS {_quote(name)}"
        for name, kind in typed.items()
    )
    return f"SELECT {columns} FROM {read}"  # noqa: S608  # every name and path in it is quoted above


def _has_columns(connection: duckdb.DuckDBPyConnection, file: Path, columns: Mapping[str, str]) -> bool:
    """Whether a file has the columns in these types, so that what is read as it has them is not rounded or cut."""
    found = connection.sql(f"FROM {parquet_scan([file])}")
    kinds = dict(zip((name.lower() for name in found.columns), found.types, strict=True))
    return all(kinds.get(name.lower()) == connection.sqltype(kind) for name, kind in columns.items())


def _within(uri: str, places: Mapping[str, object]) -> str | None:
    """The innermost of the places (URIs ending in ``/``) that an object lies below; None where it is in none."""
    folder = uri
    while folder := folder.rpartition("/")[0]:
        if f"{folder}/" in places:
            return f"{folder}/"
    return None


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

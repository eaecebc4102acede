"""Tables and partitions of moto's Glue, as Athena sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asof.local.athena.errors import QueryFailedError, not_supported

PARQUET_STORAGE: Final[Mapping[str, Any]] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column and its Glue type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as registered. ``serde`` holds the SerDe's parameters; ``format`` is parquet, json or csv."""

    database: str
    name: str
    columns: tuple[TableColumn, ...]
    partition_keys: tuple[TableColumn, ...]
    location: str
    format: str
    serde: Mapping[str, str]
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Partition:
    """A registered partition: its values in the order of the keys, and where its objects are."""

    values: tuple[str, ...]
    location: str


class Catalog:
    """One account's and region's Glue catalog."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region

    @property
    def _backend(self) -> Any:
        from moto.glue.models import glue_backends

        return glue_backends[self._account][self._region]

    def databases(self) -> list[str]:
        """Names of the databases, sorted."""
        return sorted(self._backend.databases)

    def create_database(self, name: str, *, if_not_exists: bool) -> None:
        """Register a database."""
        if name in self._backend.databases:
            if if_not_exists:
                return
            raise QueryFailedError("", f"Database {name} already exists")
        self._backend.create_database(name, {"Name": name})

    def drop_database(self, name: str, *, if_exists: bool, cascade: bool) -> None:
        """Remove a database; one with tables only with ``cascade``."""
        if name not in self._backend.databases:
            if if_exists:
                return
            raise QueryFailedError("SCHEMA_NOT_FOUND", f"Schema '{name}' does not exist")
        if self._backend.databases[name].tables and not cascade:
            raise QueryFailedError("", f"Database {name} is not empty. One or more tables exist.")
        self._backend.delete_database(name)

    def _registered(self, database: str, name: str) -> Any:
        databases = self._backend.databases
        if database not in databases:
            raise QueryFailedError("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{database}' does not exist")
        if name not in databases[database].tables:
            raise QueryFailedError(
                "TABLE_NOT_FOUND", f"line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist"
            )
        return databases[database].tables[name]

    def exists(self, database: str, name: str) -> bool:
        """Whether the table is registered."""
        return database in self._backend.databases and name in self._backend.databases[database].tables

    def table(self, database: str, name: str) -> Table:
        """The table; raises QueryFailedError as Athena does where it, or its database, does not exist."""
        described: dict[str, Any] = self._registered(database, name).as_dict()
        if described.get("TableType") == "VIRTUAL_VIEW":
            raise not_supported(f"read the view {database}.{name}")
        storage = described.get("StorageDescriptor") or {}
        return Table(
            database=database,
            name=name,
            columns=_columns(storage.get("Columns")),
            partition_keys=_columns(described.get("PartitionKeys")),
            location=storage.get("Location") or "",
            format=_format(database, name, storage, described.get("Parameters") or {}),
            serde=(storage.get("SerdeInfo") or {}).get("Parameters") or {},
            input=described,
        )

    def tables(self, database: str) -> list[str]:
        """Names of a database's tables, sorted."""
        if database not in self._backend.databases:
            raise QueryFailedError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
        return sorted(self._backend.databases[database].tables)

    def partitions(self, table: Table) -> list[Partition]:
        """The registered partitions, in order of registration."""
        registered = self._registered(table.database, table.name).partitions.values()
        return [
            Partition(
                tuple(str(value) for value in partition.values),
                (partition.partition_input.get("StorageDescriptor") or {}).get("Location") or "",
            )
            for partition in list(registered)
        ]

    def create_table(self, database: str, table_input: Mapping[str, Any]) -> None:
        """Register a table; raises QueryFailedError where one of that name exists."""
        name = table_input["Name"]
        if database not in self._backend.databases:
            raise QueryFailedError("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{database}' does not exist")
        if self.exists(database, name):
            raise QueryFailedError(
                "TABLE_ALREADY_EXISTS", f"line 1:1: Table 'awsdatacatalog.{database}.{name}' already exists"
            )
        self._backend.create_table(database, name, dict(table_input))

    def drop_table(self, database: str, name: str) -> None:
        """Remove a table; its data stays."""
        self._registered(database, name)
        self._backend.delete_table(database, name)

    def add_partition(self, table: Table, values: Sequence[str], location: str, *, if_not_exists: bool) -> bool:
        """Register a partition; False where it exists already and that is allowed."""
        registered = self._registered(table.database, table.name)
        if str(list(values)) in registered.partitions:
            if if_not_exists:
                return False
            raise QueryFailedError("", f"FAILED: AlreadyExistsException: Partition already exists: {list(values)}")
        storage = {**(table.input.get("StorageDescriptor") or {}), "Location": location}
        registered.create_partition({"Values": list(values), "StorageDescriptor": storage})
        return True

    def drop_partition(self, table: Table, values: Sequence[str], *, if_exists: bool) -> None:
        """Remove a partition's registration; its data stays."""
        registered = self._registered(table.database, table.name)
        if str(list(values)) in registered.partitions:
            registered.delete_partition(list(values))
        elif not if_exists:
            raise QueryFailedError("", f"FAILED: SemanticException: Partition not found: {list(values)}")


def _columns(described: Sequence[Mapping[str, str]] | None) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(column["Name"].lower(), column.get("Type", "string")) for column in described or ())


def _format(database: str, name: str, storage: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    if parameters.get("table_type", "").upper() == "ICEBERG":
        raise not_supported(f"read the Iceberg table {database}.{name}")
    library = (storage.get("SerdeInfo") or {}).get("SerializationLibrary") or ""
    words = f"{library} {storage.get('InputFormat') or ''}".lower()
    for word, kind in (("parquet", "parquet"), ("json", "json"), ("opencsv", "csv"), ("lazysimple", "csv")):
        if word in words:
            return kind
    if not library and parameters.get("classification") in ("parquet", "json", "csv"):
        return parameters["classification"]
    raise not_supported(f"read {database}.{name} with the SerDe {library or 'that is not declared'!r}")

"""The statements the local Athena can run, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from asof.local.athena.catalog import TableColumn


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name; ``database`` is None where the query's context decides."""

    name: str
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """A query whose rows are the result."""

    query: exp.Query


@dataclass(frozen=True, slots=True)
class Explain:
    """``EXPLAIN query``."""

    query: exp.Query


@dataclass(frozen=True, slots=True)
class Unload:
    """``UNLOAD (query) TO location WITH (...)``. Options have lower-case names."""

    query: exp.Query
    location: str
    format: str
    compression: str | None
    partitioned_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """``CREATE TABLE name WITH (...) AS query``."""

    table: TableName
    query: exp.Query
    format: str
    compression: str | None
    external_location: str | None
    partitioned_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InsertInto:
    """``INSERT INTO name [(columns)] query``."""

    table: TableName
    columns: tuple[str, ...]
    query: exp.Query


@dataclass(frozen=True, slots=True)
class CreateTable:
    """``CREATE EXTERNAL TABLE``; ``serde`` is parquet or json."""

    table: TableName
    columns: tuple[TableColumn, ...]
    partition_keys: tuple[TableColumn, ...]
    location: str
    serde: str
    properties: Mapping[str, str]
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropTable:
    """``DROP TABLE``: the registration goes, the data stays."""

    table: TableName
    if_exists: bool


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """``PARTITION (key = value, ...) [LOCATION uri]``."""

    values: Mapping[str, str]
    location: str | None = None


@dataclass(frozen=True, slots=True)
class AlterPartitions:
    """``ALTER TABLE ... ADD | DROP PARTITION``. ``lenient`` is IF [NOT] EXISTS."""

    table: TableName
    add: bool
    partitions: tuple[PartitionSpec, ...]
    lenient: bool


@dataclass(frozen=True, slots=True)
class RepairTable:
    """``MSCK REPAIR TABLE``: registers the ``key=value`` folders under the table's location."""

    table: TableName


@dataclass(frozen=True, slots=True)
class AlterDatabase:
    """``CREATE | DROP DATABASE``. ``lenient`` is IF [NOT] EXISTS."""

    name: str
    create: bool
    lenient: bool
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """``SHOW DATABASES | TABLES | PARTITIONS | COLUMNS`` and ``DESCRIBE``; ``what`` is that word in lower case."""

    what: str
    table: TableName | None = None
    database: str | None = None


Statement = (
    Select
    | Explain
    | Unload
    | CreateTableAs
    | InsertInto
    | CreateTable
    | DropTable
    | AlterPartitions
    | RepairTable
    | AlterDatabase
    | Show
)

"""Glue tables of the offline store as TableInput, from the manifest; and their creation where nobody deploys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from asof.errors import SourceError
from asof.manifest import BatchSource, Column, FeatureView, Manifest
from asof.names import Environment, history_table, source_table, staging_table
from asof.value_types import parse_type

TableInput = dict[str, Any]
"""What Glue's create_table and update_table take, and what a CloudFormation table is made from."""

TIME_COLUMNS: Final = ("event_timestamp", "created_timestamp", "available_timestamp")
PARTITION_KEYS: Final = ("event_date", "run")

_PARQUET: Final[Mapping[str, Any]] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}


def parquet_table(
    name: str,
    columns: Sequence[tuple[str, str]],
    location: str,
    *,
    partition_keys: Sequence[tuple[str, str]] = (),
    description: str = "",
    parameters: Mapping[str, str] | None = None,
) -> TableInput:
    """An external Parquet table; columns are ``(name, Glue type)`` in order, ``location`` an S3 URI ending in ``/``."""
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **(parameters or {})},
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns],
            "Location": location,
            **_PARQUET,
        },
        "PartitionKeys": [{"Name": column, "Type": kind} for column, kind in partition_keys],
    }


def history_columns(manifest: Manifest, view: FeatureView) -> list[tuple[str, str]]:
    """The columns of a view's history in order, partition keys apart: keys, the three instants, features."""
    return [
        *_typed(manifest.entity(view.entity).join_keys),
        *((column, "timestamp") for column in TIME_COLUMNS),
        *((feature.name, parse_type(feature.dtype).glue) for feature in view.features),
    ]


def history_table_input(environment: Environment, manifest: Manifest, view: FeatureView) -> TableInput:
    """The table over what a view version's runs have committed; its partitions are registered one by one."""
    return _view_table(history_table(view.name, view.version), environment, manifest, view, "History")


def staging_table_input(environment: Environment, manifest: Manifest, view: FeatureView) -> TableInput:
    """The table over attempts that are still being checked: the same columns, partitions and places as the history."""
    return _view_table(staging_table(view.name, view.version), environment, manifest, view, "Unchecked attempts")


def source_table_input(source: BatchSource) -> TableInput:
    """The table over a source given as an S3 prefix.

    With a date partition column the objects lie under ``<prefix>/<column>=YYYY-MM-DD/``, and Athena derives the
    partitions from that rule (partition projection), so that nobody has to register new days.
    """
    if source.path is None:
        raise SourceError(f"source {source.name!r} is the table {source.table}, not an S3 prefix: it needs no table")
    location = source.path.rstrip("/") + "/"
    day = source.date_partition_column
    projection = {
        "projection.enabled": "true",
        f"projection.{day}.type": "date",
        f"projection.{day}.format": "yyyy-MM-dd",
        f"projection.{day}.range": "1990-01-01,NOW+1DAYS",
        "storage.location.template": f"{location}{day}=${{{day}}}/",
    }
    return parquet_table(
        source_table(source.name),
        _typed([column for column in source.columns if column.name != day]),
        location,
        partition_keys=[(day, "string")] if day else (),
        description=source.description,
        parameters=projection if day else None,
    )


def table_inputs(environment: Environment, manifest: Manifest) -> tuple[TableInput, ...]:
    """All tables a manifest needs: history and staging of each view version, and sources given as S3 prefixes."""
    views = [
        table_input(environment, manifest, view)
        for view in manifest.feature_views
        for table_input in (history_table_input, staging_table_input)
    ]
    return (*views, *(source_table_input(source) for source in manifest.sources if source.path is not None))


Change = Literal["created", "updated", "unchanged"]


def ensure_tables(glue: Any, environment: Environment, manifest: Manifest) -> dict[str, Change]:
    """Create the database and its tables, and bring existing tables up to date; says per table what was done.

    Repeating it changes nothing. A column that is there is never dropped and its type never changed: a differing type
    raises SourceError before any table is touched.
    """
    _ensure_database(glue, environment.database)
    return _ensure(glue, environment.database, table_inputs(environment, manifest))


def ensure_history_tables(glue: Any, environment: Environment, manifest: Manifest) -> dict[str, Change]:
    """The same for the history tables alone, in a database that is there: those of views that come back are kept."""
    wanted = [history_table_input(environment, manifest, view) for view in manifest.feature_views]
    return _ensure(glue, environment.database, wanted)


def _ensure(glue: Any, database: str, inputs: Iterable[TableInput]) -> dict[str, Change]:
    plan = [(wanted, _existing(glue, database, wanted["Name"])) for wanted in inputs]
    problems = [problem for wanted, found in plan if found for problem in _type_conflicts(wanted, found)]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SourceError(f"tables of database {database} have other types than declared:\n{lines}")
    return {wanted["Name"]: _ensure_table(glue, database, wanted, found) for wanted, found in plan}


def _typed(columns: Sequence[Column]) -> list[tuple[str, str]]:
    return [(column.name, parse_type(column.dtype).glue) for column in columns]


def _view_table(name: str, environment: Environment, manifest: Manifest, view: FeatureView, what: str) -> TableInput:
    return parquet_table(
        name,
        history_columns(manifest, view),
        f"s3://{environment.offline_bucket}/history/{history_table(view.name, view.version)}/",
        partition_keys=[(key, "string") for key in PARTITION_KEYS],
        description=f"{what} of {view.reference}",
        parameters={"parquet.compression": "ZSTD", "asof.view": view.reference},
    )


def _ensure_database(glue: Any, name: str) -> None:
    try:
        glue.create_database(DatabaseInput={"Name": name})
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def _existing(glue: Any, database: str, name: str) -> TableInput | None:
    try:
        table: TableInput = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise
    return table


def _columns(table: TableInput) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}


def _type_conflicts(wanted: TableInput, found: TableInput) -> list[str]:
    there = _columns(found)
    return [
        f"{wanted['Name']}.{column} is {there[column]} and should be {kind}"
        for column, kind in _columns(wanted).items()
        if there.get(column, kind) != kind
    ]


def _ensure_table(glue: Any, database: str, wanted: TableInput, found: TableInput | None) -> Change:
    if found is None:
        glue.create_table(DatabaseName=database, TableInput=wanted)
        return "created"
    there = found["StorageDescriptor"]["Columns"]
    named = {column["Name"] for column in wanted["StorageDescriptor"]["Columns"]}
    left_over = [column for column in there if column["Name"] not in named]
    columns = [*wanted["StorageDescriptor"]["Columns"], *left_over]
    merged = {**wanted, "StorageDescriptor": {**wanted["StorageDescriptor"], "Columns": columns}}
    if all(_covers(found.get(part), merged[part]) for part in merged):
        return "unchanged"
    glue.update_table(DatabaseName=database, TableInput=merged)
    return "updated"


def _covers(found: Any, wanted: Any) -> bool:
    """Whether what Glue holds says at least what is wanted; Glue adds parts and defaults of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_covers(found.get(part), wanted[part]) for part in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_covers, found, wanted))
    return bool(found == wanted) or (found is None and wanted == "")

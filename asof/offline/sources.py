"""Whether a source is what its definition says: reachable, with the declared columns, of types that fit."""

from __future__ import annotations

import re
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import SourceError
from asof.manifest import BatchSource
from asof.names import Environment, source_table
from asof.value_types import ValueType, parse_type

# Glue types whose every value a declared type holds without loss, beside the type's own.
_ALSO_FITS: Final = {
    "Int64": ("int", "integer", "smallint", "tinyint"),
    "Float64": ("float", "real", "int", "integer", "smallint", "tinyint"),
    "String": ("varchar", "char"),
    "Bool": (),
    "Timestamp": ("timestamp with time zone",),
    "Date": (),
}
_LENGTH = re.compile(r"\(\d+\)")
_ARRAY = re.compile(r"array<(.+)>")


def fits(declared: ValueType, glue_type: str) -> bool:
    """Whether a column of a Glue type can be read as the declared type without loss."""
    found = _LENGTH.sub("", glue_type.strip().lower())
    if declared.kind in ("Array", "Embedding"):
        item = _ARRAY.fullmatch(found)
        if item is None:
            return False
        if declared.kind == "Embedding":
            return item[1] in ("float", "real", "double")
        return fits(ValueType(str(declared.item)), item[1])
    return found == declared.glue or found in _ALSO_FITS[declared.kind]


def check_source(glue: Any, environment: Environment, source: BatchSource, s3: Any = None) -> None:
    """Raise SourceError, with all problems at once, where the source is not what its definition says.

    With an S3 client, a source given as a prefix is also required to have an object under it: an empty prefix cannot
    be told from a mistyped one.
    """
    problems = _missing_objects(s3, source) if s3 is not None and source.path is not None else []
    database, _, table = (source.table or f"{environment.database}.{source_table(source.name)}").rpartition(".")
    found = _table_columns(glue, source.name, database, table)
    for name, declared in _declared(source).items():
        if name not in found:
            problems.append(f"column {name!r} is missing; the table has {', '.join(sorted(found))}")
        elif not fits(declared, found[name]):
            problems.append(f"column {name!r} is {found[name]} there, which does not fit the declared {declared}")
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SourceError(f"source {source.name!r} (table {database}.{table}) is not as declared:\n{lines}")


def _declared(source: BatchSource) -> dict[str, ValueType]:
    """Each column the source is read by, with its type; the columns with a role need not be declared twice."""
    roles = {source.timestamp_field: "Timestamp"}
    if source.created_timestamp_column:
        roles[source.created_timestamp_column] = "Timestamp"
    if source.date_partition_column:
        roles[source.date_partition_column] = "String"
    return {name: parse_type(dtype) for name, dtype in (roles | {c.name: c.dtype for c in source.columns}).items()}


def _table_columns(glue: Any, source: str, database: str, table: str) -> dict[str, str]:
    try:
        found = glue.get_table(DatabaseName=database, Name=table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            raise SourceError(
                f"source {source!r}: there is no table {database}.{table} in the Glue catalog; "
                f"check the name, the region and the account"
            ) from error
        raise SourceError(f"source {source!r}: table {database}.{table} cannot be read: {error}") from error
    except BotoCoreError as error:
        raise SourceError(f"source {source!r}: the Glue catalog cannot be reached: {error}") from error
    columns = [*found["StorageDescriptor"]["Columns"], *found.get("PartitionKeys", ())]
    return {column["Name"]: column["Type"] for column in columns}


def _missing_objects(s3: Any, source: BatchSource) -> list[str]:
    bucket, _, prefix = str(source.path).removeprefix("s3://").partition("/")
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix.rstrip("/") + "/" if prefix else "", MaxKeys=1)
    except (ClientError, BotoCoreError) as error:
        return [f"{source.path} cannot be listed: {error}"]
    return [] if listed.get("KeyCount") else [f"there is no object under {source.path}"]

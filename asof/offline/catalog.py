"""Tables of the Glue catalog as engines that read Parquet themselves need them: what they hold, and where it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import QueryError
from asof.offline.objects import folder_uri, list_objects, split_uri

Bounds = tuple[str, str]
"""The least and the greatest value of a partition key that is wanted, both inclusive."""


def parquet_table_of(glue: Any, database: str, name: str) -> dict[str, Any]:
    """A table as Glue describes it; raises QueryError where it does not exist, cannot be read, or is not Parquet."""
    try:
        table: dict[str, Any] = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"table {database}.{name} cannot be read from the Glue catalog: {error}") from error
    serde = table["StorageDescriptor"].get("SerdeInfo", {}).get("SerializationLibrary", "")
    if "parquet" not in serde.lower():
        raise QueryError(f"table {database}.{name} is not Parquet, which is all that this engine reads; use Athena")
    return table


def places(
    glue: Any, s3: Any, table: Mapping[str, Any], bounds: Mapping[str, Bounds]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where a table's rows lie (URIs), each with its partition's values; partitions outside of ``bounds`` are left out.

    Raises QueryError where Glue or S3 cannot be asked.
    """
    keys = tuple(key["Name"] for key in table.get("PartitionKeys", ()))
    location = str(table["StorageDescriptor"]["Location"])
    if not keys:
        yield location, ()
        return
    wanted = {keys.index(key): limits for key, limits in bounds.items() if key in keys}
    if table.get("Parameters", {}).get("projection.enabled") == "true":
        found = _projected(s3, folder_uri(location), keys)
    else:
        found = _registered(glue, table)
    for place, values in found:
        if all(first <= values[at] <= last for at, (first, last) in wanted.items()):
            yield place, values


def _registered(glue: Any, table: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        pages = glue.get_paginator("get_partitions").paginate(
            DatabaseName=table["DatabaseName"], TableName=table["Name"], ExcludeColumnSchema=True
        )
        for partition in (each for page in pages for each in page["Partitions"]):
            yield str(partition["StorageDescriptor"]["Location"]), tuple(partition["Values"])
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"the partitions of {table['Name']} cannot be read from Glue: {error}") from error


def _projected(s3: Any, location: str, keys: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The folders of a table whose partitions follow a rule (``<key>=<value>/``) instead of being registered."""
    folders = "".join(f"{re.escape(key)}=([^/]+)/" for key in keys)
    bucket, prefix = split_uri(location)
    pattern = re.compile(re.escape(prefix) + folders)
    found = {
        match[0]: match.groups() for each in list_objects(s3, bucket, prefix) if (match := pattern.match(each.key))
    }
    for folder, values in found.items():
        yield f"s3://{bucket}/{folder}", values

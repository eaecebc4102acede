"""Partitions: what an UNLOAD wrote, and its registration in Glue, which is what makes rows visible."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from asof.errors import MaterializationError
from asof.names import attempt_prefix

_T = TypeVar("_T")

_CREATE_AT_ONCE: Final = 100
_DELETE_AT_ONCE: Final = 25
_ATTEMPTS: Final = 6
_PASSING: Final = frozenset(
    {
        "AlreadyExistsException",  # and gone when looked at: another runner cleaned up
        "ConcurrentModificationException",
        "InternalServiceException",
        "OperationTimeoutException",
        "ThrottlingException",
        "Throttling",
    }
)
_GONE: Final = "EntityNotFoundException"
_DATE_FOLDER = re.compile(r"event_date=(\d{4}-\d{2}-\d{2})/")
_RUN_FOLDER = re.compile(r"(?:^|/)run=([^/]+)/$")


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of one attempt: its partition values, the S3 URI of its folder (ending in ``/``), and what lies there."""

    event_date: str
    run: str
    location: str
    objects: int = 0
    bytes: int = 0

    @property
    def values(self) -> tuple[str, str]:
        """The values of the partition keys, in their order."""
        return self.event_date, self.run


def written_partitions(s3: Any, bucket: str, prefix: str) -> tuple[Partition, ...]:
    """The ``event_date=.../`` folders an UNLOAD wrote under an attempt's prefix (``.../run=<attempt>/``), by date.

    Raises MaterializationError where something else lies under the prefix: nothing of it may become visible then.
    """
    run = _RUN_FOLDER.search(prefix)
    if run is None:
        raise MaterializationError(f"{prefix!r} is not the prefix of an attempt: it should end in 'run=<attempt>/'")
    found: dict[str, list[int]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for listed in page.get("Contents", ()):
            day = _DATE_FOLDER.match(listed["Key"], len(prefix))
            if day is None:
                raise MaterializationError(f"s3://{bucket}/{listed['Key']} lies in no event_date folder of its attempt")
            found.setdefault(day[1], []).append(int(listed["Size"]))
    return tuple(
        Partition(date, run[1], f"s3://{bucket}/{prefix}event_date={date}/", len(sizes), sum(sizes))
        for date, sizes in sorted(found.items())
    )


def written_attempts(s3: Any, bucket: str, view: str, version: int) -> list[str]:
    """The names of a view version's attempts that something lies under, in the order of their names."""
    prefix = attempt_prefix(view, version, "").rstrip("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    folders = (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ()))
    return [folder.removeprefix(prefix).rstrip("/") for folder in folders]


def register(
    glue: Any,
    database: str,
    table: str,
    partitions: Iterable[Partition],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Register partitions; returns how many were new. Repeating it, in whole or in part, changes nothing.

    Errors of single partitions that pass by themselves are retried. A partition that is there already is fine if it
    is at the same place. Anything else raises MaterializationError with all errors.
    """
    wanted = {each.values: each for each in partitions}
    if not wanted:
        return 0
    storage = glue.get_table(DatabaseName=database, Name=table)["Table"]["StorageDescriptor"]
    created = 0
    for batch in _batches(wanted.values(), _CREATE_AT_ONCE):
        created += _register_batch(glue, database, table, storage, batch, sleep=sleep)
    return created


def drop(glue: Any, database: str, table: str, values: Iterable[tuple[str, str]]) -> None:
    """Take partitions, given as ``(event_date, run)``, out of a table; objects stay. One that is gone is fine."""
    for batch in _batches(values, _DELETE_AT_ONCE):
        answer = glue.batch_delete_partition(
            DatabaseName=database, TableName=table, PartitionsToDelete=[{"Values": list(each)} for each in batch]
        )
        failed = [each for each in answer.get("Errors", ()) if each["ErrorDetail"]["ErrorCode"] != _GONE]
        if failed:
            raise MaterializationError(f"partitions of {database}.{table} cannot be dropped: {_said(failed)}")


def _register_batch(
    glue: Any,
    database: str,
    table: str,
    storage: Mapping[str, Any],
    batch: Sequence[Partition],
    *,
    sleep: Callable[[float], None],
) -> int:
    left = {each.values: each for each in batch}
    created = 0
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(0.1 * 2**attempt)
        inputs = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": each.location}}
            for values, each in left.items()
        ]
        answer = glue.batch_create_partition(DatabaseName=database, TableName=table, PartitionInputList=inputs)
        errors = {tuple(error["PartitionValues"]): error for error in answer.get("Errors", ())}
        created += len(left) - len(errors)
        left = {values: left[values] for values in errors if not _is_there(glue, database, table, left[values])}
        fatal = [errors[values] for values in left if errors[values]["ErrorDetail"]["ErrorCode"] not in _PASSING]
        if fatal:
            raise MaterializationError(f"partitions of {database}.{table} cannot be registered: {_said(fatal)}")
        if not left:
            return created
    raise MaterializationError(
        f"partitions of {database}.{table} cannot be registered, tried {_ATTEMPTS} times: {_said(errors.values())}"
    )


def _is_there(glue: Any, database: str, table: str, wanted: Partition) -> bool:
    """Whether the partition is registered at its place; raises MaterializationError where it is at another one."""
    try:
        found = glue.get_partition(DatabaseName=database, TableName=table, PartitionValues=list(wanted.values))
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return False
        raise
    location = str(found["Partition"]["StorageDescriptor"]["Location"])
    if location.rstrip("/") != wanted.location.rstrip("/"):
        raise MaterializationError(
            f"partition {'/'.join(wanted.values)} of {database}.{table} is registered at {location}, "
            f"not at {wanted.location}"
        )
    return True


def _said(errors: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{'/'.join(error['PartitionValues'])}: {error['ErrorDetail']['ErrorCode']} "
        f"{error['ErrorDetail'].get('ErrorMessage', '')}".rstrip()
        for error in errors
    )


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch

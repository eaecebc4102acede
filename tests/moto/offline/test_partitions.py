"""What an UNLOAD wrote, and its registration: idempotent, in batches, and strict about places."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from asof.errors import MaterializationError
from asof.names import attempt_prefix
from asof.offline.partitions import Partition, drop, register, written_partitions
from asof.offline.tables import parquet_table
from tests.moto.offline.conftest import Aws

PREFIX = attempt_prefix("planes", 1, "a1")


def day(index: int, run: str = "a1") -> Partition:
    """A partition of the day that many days into 2013."""
    text = (date(2013, 1, 1) + timedelta(index)).isoformat()
    return Partition(text, run, f"s3://bucket/{attempt_prefix('planes', 1, run)}event_date={text}/")


@pytest.fixture
def table(aws: Aws) -> str:
    """A partitioned table, made."""
    keys = [("event_date", "string"), ("run", "string")]
    table = parquet_table("planes_v1", [("tail", "string")], "s3://bucket/history/planes_v1/", partition_keys=keys)
    aws.glue.create_table(DatabaseName=aws.environment.database, TableInput=table)
    return "planes_v1"


def registered(aws: Aws, table: str) -> dict[tuple[str, ...], str]:
    """Place of each partition there is."""
    pages = aws.glue.get_paginator("get_partitions").paginate(DatabaseName=aws.environment.database, TableName=table)
    return {
        tuple(each["Values"]): each["StorageDescriptor"]["Location"] for page in pages for each in page["Partitions"]
    }


def test_written_partitions_lists_the_days_with_objects_and_bytes(aws: Aws) -> None:
    for key, size in (("event_date=2013-01-02/b", 3), ("event_date=2013-01-01/a", 5), ("event_date=2013-01-02/c", 4)):
        aws.s3.put_object(Bucket=aws.bucket, Key=PREFIX + key, Body=b"x" * size)
    aws.s3.put_object(Bucket=aws.bucket, Key=attempt_prefix("planes", 1, "a10") + "event_date=2013-01-09/z", Body=b"x")
    place = f"s3://{aws.bucket}/{PREFIX}"
    assert written_partitions(aws.s3, aws.bucket, PREFIX) == (
        Partition("2013-01-01", "a1", f"{place}event_date=2013-01-01/", 1, 5),
        Partition("2013-01-02", "a1", f"{place}event_date=2013-01-02/", 2, 7),
    )


def test_an_attempt_that_wrote_nothing_has_no_partitions(aws: Aws) -> None:
    assert written_partitions(aws.s3, aws.bucket, PREFIX) == ()


@pytest.mark.parametrize("stray", ["part-0", "event_date=__HIVE_DEFAULT_PARTITION__/part-0", "other=1/part-0"])
def test_anything_else_under_the_prefix_is_an_error(aws: Aws, stray: str) -> None:
    aws.s3.put_object(Bucket=aws.bucket, Key=PREFIX + stray, Body=b"x")
    with pytest.raises(MaterializationError, match="no event_date folder"):
        written_partitions(aws.s3, aws.bucket, PREFIX)


def test_a_prefix_that_is_no_attempt_is_an_error(aws: Aws) -> None:
    with pytest.raises(MaterializationError, match="run=<attempt>/"):
        written_partitions(aws.s3, aws.bucket, "history/planes_v1/")


def test_registering_in_batches_and_again_leaves_the_same(aws: Aws, table: str) -> None:
    days = [day(index) for index in range(230)]
    assert register(aws.glue, aws.environment.database, table, days[:40]) == 40
    assert register(aws.glue, aws.environment.database, table, days) == 190
    assert register(aws.glue, aws.environment.database, table, days) == 0
    assert registered(aws, table) == {each.values: each.location for each in days}


def test_a_registered_partition_has_the_tables_columns_and_format(aws: Aws, table: str) -> None:
    register(aws.glue, aws.environment.database, table, [day(0)])
    found = aws.glue.get_partition(
        DatabaseName=aws.environment.database, TableName=table, PartitionValues=list(day(0).values)
    )["Partition"]["StorageDescriptor"]
    assert found["Columns"] == [{"Name": "tail", "Type": "string"}]
    assert "ParquetHiveSerDe" in found["SerdeInfo"]["SerializationLibrary"]


def test_a_partition_that_is_there_at_another_place_is_an_error(aws: Aws, table: str) -> None:
    register(aws.glue, aws.environment.database, table, [day(0)])
    elsewhere = Partition(day(0).event_date, "a1", "s3://bucket/elsewhere/")
    with pytest.raises(MaterializationError, match=r"is registered at .*planes_v1.*, not at s3://bucket/elsewhere/"):
        register(aws.glue, aws.environment.database, table, [elsewhere])
    assert registered(aws, table) == {day(0).values: day(0).location}


def test_dropping_in_batches_and_again_leaves_the_rest(aws: Aws, table: str) -> None:
    days = [day(index) for index in range(60)]
    register(aws.glue, aws.environment.database, table, [*days, day(0, "other")])
    for _ in range(2):
        drop(aws.glue, aws.environment.database, table, [each.values for each in days])
    assert set(registered(aws, table)) == {day(0, "other").values}


class FlakyGlue:
    """moto's Glue, with errors of single partitions from a script: one mapping of date to error code per call."""

    def __init__(self, glue: Any, script: list[dict[str, str]]) -> None:
        self._glue = glue
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._glue, name)

    def batch_create_partition(self, **arguments: Any) -> dict[str, Any]:
        """Create what the script does not fail."""
        failing = self._script.pop(0)
        wanted = arguments["PartitionInputList"]
        errors = [
            {"PartitionValues": each["Values"], "ErrorDetail": {"ErrorCode": failing[each["Values"][0]]}}
            for each in wanted
            if each["Values"][0] in failing
        ]
        left = [each for each in wanted if each["Values"][0] not in failing]
        answer = self._glue.batch_create_partition(**{**arguments, "PartitionInputList": left})
        return {"Errors": [*errors, *answer.get("Errors", ())]}


def test_errors_that_pass_are_retried_for_those_partitions_only(aws: Aws, table: str) -> None:
    pauses: list[float] = []
    script = [
        {"2013-01-01": "InternalServiceException", "2013-01-02": "ThrottlingException"},
        {"2013-01-02": "ThrottlingException"},
        {},
    ]
    glue = FlakyGlue(aws.glue, script)
    days = [day(index) for index in range(3)]
    assert register(glue, aws.environment.database, table, days, sleep=pauses.append) == 3
    assert set(registered(aws, table)) == {each.values for each in days}
    assert len(pauses) == 2


@pytest.mark.parametrize("code", ["InvalidInputException", "InternalServiceException"])
def test_an_error_that_does_not_pass_names_the_partition(aws: Aws, table: str, code: str) -> None:
    glue = FlakyGlue(aws.glue, [{"2013-01-02": code}] * 10)
    with pytest.raises(MaterializationError, match=f"2013-01-02/a1: {code}"):
        register(glue, aws.environment.database, table, [day(0), day(1)], sleep=lambda _: None)

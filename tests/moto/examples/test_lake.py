"""Writing the example's tables to a bucket and the Glue catalog."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from examples.flights.lake import write

UTC_MS = pa.timestamp("ms", tz="UTC")


def _tables(days: int = 120) -> dict[str, pa.Table]:
    dates = [datetime.fromtimestamp(1_700_000_000 + 86_400 * i // 2, timezone.utc) for i in range(2 * days)]
    departures = pa.table(
        {
            "departed_at": pa.array(dates, UTC_MS),
            "origin": pa.array(["JFK"] * len(dates)),
            "dep_delay": pa.array([None, *range(len(dates) - 1)], pa.int64()),
            "cancelled": pa.array([True] * len(dates)),
            "departed_on": pa.array([each.date().isoformat() for each in dates]),
        }
    )
    weather = pa.table({"observed_at": pa.array(dates[:3], UTC_MS), "temp": pa.array([1.5, None, 2.0])})
    return {"departures": departures, "weather": weather}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Clients of an S3 with one bucket, and of Glue."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        s3: Any = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="raw-data")
        yield s3, boto3.client("glue", region_name="us-east-1")


def test_tables_are_registered_with_a_partition_per_day(aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    write(_tables(), s3=s3, glue=glue, bucket="raw-data")
    table = glue.get_table(DatabaseName="nyc", Name="departures")["Table"]
    assert [(each["Name"], each["Type"]) for each in table["StorageDescriptor"]["Columns"]] == [
        ("departed_at", "timestamp"),
        ("origin", "string"),
        ("dep_delay", "bigint"),
        ("cancelled", "boolean"),
    ]
    assert [each["Name"] for each in table["PartitionKeys"]] == ["departed_on"]
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName="nyc", TableName="departures")
    partitions = [each for page in pages for each in page["Partitions"]]
    assert len(partitions) == len({each["Values"][0] for each in partitions}) == 120 + 1
    assert partitions[0]["StorageDescriptor"]["Location"] == (
        f"s3://raw-data/nyc/departures/departed_on={partitions[0]['Values'][0]}/"
    )


def test_each_row_lies_in_its_days_file_with_its_time_in_utc(aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    tables = _tables(days=3)
    write(tables, s3=s3, glue=glue, bucket="raw-data")
    found = []
    for listed in s3.list_objects_v2(Bucket="raw-data", Prefix="nyc/departures/")["Contents"]:
        part = pq.read_table(io.BytesIO(s3.get_object(Bucket="raw-data", Key=listed["Key"])["Body"].read()))
        assert part.schema.field("departed_at").type == pa.timestamp("ms")
        day = listed["Key"].split("/")[2].removeprefix("departed_on=")
        found += [{**row, "departed_on": day} for row in part.to_pylist()]
    expected = [
        {**row, "departed_at": row["departed_at"].replace(tzinfo=None)} for row in tables["departures"].to_pylist()
    ]
    assert sorted(found, key=lambda row: str(row["departed_at"])) == expected


def test_writing_again_replaces_the_tables(aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    write(_tables(days=3), s3=s3, glue=glue, bucket="raw-data")
    write(_tables(days=2), s3=s3, glue=glue, bucket="raw-data")
    assert len(glue.get_partitions(DatabaseName="nyc", TableName="departures")["Partitions"]) == 2 + 1
    assert glue.get_table(DatabaseName="nyc", Name="weather")["Table"]["PartitionKeys"] == []

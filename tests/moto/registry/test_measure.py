"""How big a source is found to be, from its listing and a few footers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from asof.errors import QueryError, SourceError
from asof.manifest import Manifest
from asof.offline.tables import parquet_table
from asof.registry.measure import SAMPLE, measure
from asof.registry.plan import Interval, backfills
from tests.support.manifests import ENTITY, a_passthrough_view, a_source


class Raw:
    """A bucket ``raw`` and a Glue database ``raw``."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name="eu-central-1")
        self.glue: Any = boto3.client("glue", region_name="eu-central-1")
        self.s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.glue.create_database(DatabaseInput={"Name": "raw"})

    def put(self, key: str, rows: int) -> int:
        """Put a Parquet object; its size."""
        table = pa.table({"origin": ["JFK"] * rows, "delay": [float(i) for i in range(rows)]})
        body = io.BytesIO()
        pq.write_table(table, body)
        self.s3.put_object(Bucket="raw", Key=key, Body=body.getvalue())
        return len(body.getvalue())

    def table(self, **parameters: str) -> dict[str, Any]:
        """Create the table ``raw.departures``, partitioned by ``day``; its storage."""
        keys = [("day", "string")]
        made = parquet_table("departures", [], "s3://raw/t/", partition_keys=keys, parameters=parameters)
        self.glue.create_table(DatabaseName="raw", TableInput=made)
        storage: dict[str, Any] = made["StorageDescriptor"]
        return storage


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    """An empty place for sources."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Raw()


def test_a_prefix_is_counted_and_its_dates_are_told_apart(raw: Raw) -> None:
    """Few objects are counted whole; the dates come from their keys; shares of columns add up to all."""
    sizes = [raw.put(f"p/day=2026-01-0{i}/a.parquet", 10 * i) for i in (1, 2)]
    raw.put("p2/other.parquet", 1)
    source = a_source(table=None, path="s3://raw/p", date_partition_column="day")
    found = measure(raw.s3, raw.glue, source)
    assert (found.objects, found.bytes, found.rows, found.counted) == (2, sum(sizes), 30, True)
    assert found.by_date == {"2026-01-01": sizes[0], "2026-01-02": sizes[1]}
    assert sum(found.shares.values()) == pytest.approx(1)
    assert set(found.shares) == {"origin", "delay"}


def test_rows_of_many_objects_are_extrapolated(raw: Raw) -> None:
    """From a sample spread over the listing; equal objects make it exact."""
    for i in range(3 * SAMPLE):
        raw.put(f"p/{i:02}.parquet", 7)
    found = measure(raw.s3, raw.glue, a_source(table=None, path="s3://raw/p/"))
    assert (found.rows, found.counted, found.by_date) == (3 * SAMPLE * 7, False, {})


def test_the_partitions_of_a_table_lie_where_the_catalog_says(raw: Raw) -> None:
    """Their places need not look like dates; with projection there are none, and the table's own place counts."""
    storage = raw.table()
    size = raw.put("elsewhere/a.parquet", 5)
    partition = {"Values": ["2026-01-01"], "StorageDescriptor": {**storage, "Location": "s3://raw/elsewhere/"}}
    raw.glue.create_partition(DatabaseName="raw", TableName="departures", PartitionInput=partition)
    found = measure(raw.s3, raw.glue, a_source(date_partition_column="day"))
    assert (found.rows, found.by_date) == (5, {"2026-01-01": size})
    raw.glue.delete_table(DatabaseName="raw", Name="departures")
    raw.table(**{"projection.enabled": "true"})
    size = raw.put("t/day=2026-01-02/a.parquet", 6)
    found = measure(raw.s3, raw.glue, a_source(date_partition_column="day"))
    assert (found.rows, found.by_date) == (6, {"2026-01-02": size})


def test_objects_that_are_no_parquet_have_bytes_and_no_rows(raw: Raw) -> None:
    """The listing is worth something all the same."""
    raw.s3.put_object(Bucket="raw", Key="p/a.csv", Body=b"origin,delay\n" * 9)
    found = measure(raw.s3, raw.glue, a_source(table=None, path="s3://raw/p/"))
    assert (found.objects, found.bytes, found.rows, found.shares) == (1, 117, None, {})


def test_a_source_that_cannot_be_found_is_an_error_and_a_note_in_a_plan(raw: Raw) -> None:
    """A plan tells what it can."""
    with pytest.raises(SourceError, match=r"raw\.departures"):
        measure(raw.s3, raw.glue, a_source())
    with pytest.raises(QueryError, match="nowhere"):
        measure(raw.s3, raw.glue, a_source(table=None, path="s3://nowhere/p/"))
    view = a_passthrough_view(ttl_ms=86_400_000)
    services: Any = type("Services", (), {"s3": raw.s3, "glue": raw.glue})
    (made,) = backfills(
        Manifest((ENTITY,), (a_source(),), (view,)), [view], Interval(None, None), 10**12, services=services
    )
    assert made.stages is not None
    assert made.estimate is None
    assert "raw.departures" in str(made.note)

"""A table's objects are found with few calls of S3, whatever the number of its partitions, and only its own."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asof.offline.duckdb_catalog import LocalTable, LocalTables, create_view, parquet_scan
from asof.offline.tables import parquet_table

ROOT = "s3://lake/table/"
DAYS = [f"2024-01-{day:02}" for day in range(1, 31)]
ELSEWHERE = "s3://old/moved/"


class Services:
    """Glue's and S3's answers to what the catalog asks, from a table's partitions and its objects by URI."""

    def __init__(self, partitions: dict[str, str], objects: list[str]) -> None:
        self.partitions = partitions
        self.objects = objects
        self.listed: list[str] = []

    def get_table(self, **asked: Any) -> dict[str, Any]:
        """Glue's."""
        keys = [("event_date", "string")]
        table = parquet_table(asked["Name"], [("x", "bigint")], ROOT, partition_keys=keys)
        return {"Table": table | {"DatabaseName": asked["DatabaseName"]}}

    def get_object(self, **asked: Any) -> dict[str, Any]:
        """S3's: an object holds its own URI."""
        return {"Body": io.BytesIO(f"s3://{asked['Bucket']}/{asked['Key']}".encode())}

    def get_paginator(self, operation: str) -> Pages:
        """Both services'."""
        return Pages(self, operation)


class Pages:
    """What is listed, in one page."""

    def __init__(self, services: Services, operation: str) -> None:
        self._services = services
        self._operation = operation

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """One page."""
        if self._operation == "get_partitions":
            found = self._services.partitions.items()
            yield {"Partitions": [{"Values": [day], "StorageDescriptor": {"Location": at}} for at, day in found]}
            return
        prefix = f"s3://{asked['Bucket']}/{asked['Prefix']}"
        self._services.listed.append(prefix)
        uris = [each for each in self._services.objects if each.startswith(prefix)]
        yield {"Contents": [{"Key": each.split("/", 3)[3], "Size": 1, "ETag": '"1"'} for each in uris]}


@pytest.fixture
def services() -> Services:
    """A month of partitions, one of them elsewhere; and an object below the table that no partition has."""
    partitions = {f"{ROOT}event_date={day}/run=a": day for day in DAYS} | {ELSEWHERE: "2024-01-31"}
    objects = [f"{place.rstrip('/')}/part.parquet" for place in partitions]
    return Services(partitions, [*objects, f"{ROOT}event_date=2024-01-01/run=abandoned/part.parquet"])


def read(services: Services, folder: Path, dates: tuple[str, str] | None = None) -> dict[str, str]:
    """The partition each object was read for, by the object's URI."""
    local = LocalTables(services, services, folder).table("database", "table", dates)
    return {path.read_text(): path.parent.name for path in local.files}


def test_partitions_below_the_table_take_one_listing_and_others_one_each(services: Services, tmp_path: Path) -> None:
    read(services, tmp_path)
    assert services.listed == [f"{ROOT}event_date=2024-01-", ELSEWHERE]


def test_objects_come_with_their_partition_and_those_of_none_stay_where_they_are(
    services: Services, tmp_path: Path
) -> None:
    expected = {f"{place.rstrip('/')}/part.parquet": f"event_date={day}" for place, day in services.partitions.items()}
    assert read(services, tmp_path) == expected


def test_days_that_are_not_asked_for_are_not_read(services: Services, tmp_path: Path) -> None:
    assert sorted(read(services, tmp_path, ("2024-01-09", "2024-01-10")).values()) == [
        "event_date=2024-01-09",
        "event_date=2024-01-10",
    ]
    assert read(services, tmp_path, ("2025-01-01", "2025-01-02")) == {}


def test_partitions_of_one_place_each_get_its_rows(services: Services, tmp_path: Path) -> None:
    """As Hive has it: a folder that is registered twice is read twice."""
    services.partitions = {f"{ROOT}event_date=2024-01-01/run=a": "2024-01-01"}
    services.get_paginator = lambda operation: Doubled(services, operation)  # type: ignore[method-assign]  # a test's
    local = LocalTables(services, services, tmp_path).table("database", "table")
    assert [path.parent.name for path in local.files] == ["event_date=2024-01-01", "event_date=again"]


def test_nan_is_found_beside_numbers(tmp_path: Path) -> None:
    """A file's least and greatest values are of its numbers alone, whatever else it holds."""
    pq.write_table(pa.table({"x": [math.nan, 2.0, 1.0]}), tmp_path / "a.parquet")
    scan = parquet_scan([tmp_path / "a.parquet"])
    with duckdb.connect() as connection:
        (values,) = connection.execute(f"SELECT bool_or(isnan(x)), max(x), arg_max(x, x) FROM {scan}").fetchall()
        assert values[0]
        assert all(map(math.isnan, values[1:]))
        assert connection.execute(f"SELECT count(*) FROM {scan} WHERE isnan(x)").fetchall() == [(1,)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_columns_of_all_files_are_there_in_types_that_hold_all_values(tmp_path: Path, newest_first: bool) -> None:
    """A writer that came later has another column, and a wider type of one."""
    pq.write_table(pa.table({"x": pa.array([1], pa.int32())}), tmp_path / "old.parquet")
    pq.write_table(pa.table({"x": pa.array([2**40], pa.int64()), "y": ["b"]}), tmp_path / "new.parquet")
    files = sorted(tmp_path.iterdir(), reverse=not newest_first)
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT x, y FROM {parquet_scan(files)} ORDER BY x").fetchall()
    assert rows == [(1, None), (2**40, "b")]


def view_of(files: list[Path], *, own: bool) -> list[tuple[object, ...]]:
    """The rows of a table with a number ``x`` and a text ``y`` over these files."""
    table = LocalTable("t", {"x": "DOUBLE", "y": "TEXT"}, {}, files, 0)
    with duckdb.connect() as connection:
        create_view(connection, table, own=own)
        return connection.sql("SELECT * FROM t ORDER BY x").fetchall()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
def test_no_value_takes_the_narrower_type_of_another_file(tmp_path: Path, own: bool, newest_first: bool) -> None:
    """Not even of the file that comes first, after which the others would be read."""
    pq.write_table(pa.table({"x": pa.array([1], pa.int32()), "y": ["a"]}), tmp_path / "old.parquet")
    pq.write_table(pa.table({"y": ["b"], "x": [1.5]}), tmp_path / "new.parquet")
    assert view_of(sorted(tmp_path.iterdir(), reverse=not newest_first), own=own) == [(1.0, "a"), (1.5, "b")]


def test_a_file_of_our_own_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    """In somebody else's table it is NULL there; in a history of ours something is wrong."""
    pq.write_table(pa.table({"x": [1.0], "y": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [2.0]}), tmp_path / "b.parquet")
    assert view_of(sorted(tmp_path.iterdir()), own=False) == [(1.0, "a"), (2.0, None)]
    with pytest.raises(duckdb.Error, match=r"b\.parquet"):
        view_of(sorted(tmp_path.iterdir()), own=True)


def test_what_is_not_parquet_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"not Parquet")
    scan = parquet_scan([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match=r"b\.parquet"):
        connection.execute(f"SELECT sum(x) FROM {scan}")


class Doubled(Pages):
    """Every partition a second time, as the day ``again``."""

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """One page."""
        for page in super().paginate(**asked):
            again = [each | {"Values": ["again"]} for each in page.get("Partitions", ())]
            yield page | ({"Partitions": [*page["Partitions"], *again]} if again else {})

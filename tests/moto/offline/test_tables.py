"""Tables from the manifest: created, left alone, extended, never narrowed; and sources held to what they declare."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from asof.errors import SourceError
from asof.manifest import BatchSource, Column, Feature, Manifest
from asof.offline.sources import check_source, fits
from asof.offline.tables import ensure_tables, parquet_table, source_table_input, table_inputs
from asof.value_types import Array, Embedding, Float64, Int64, String, Timestamp, ValueType
from tests.moto.offline import world
from tests.moto.offline.conftest import Aws

SOURCE = BatchSource(
    name="flights",
    table=None,
    path="s3://bucket/flights",
    timestamp_field="departed_at",
    created_timestamp_column="known_at",
    date_partition_column="day",
    lateness_ms=0,
    columns=(Column("origin", "String"), Column("departed_at", "Timestamp"), Column("known_at", "Timestamp")),
)
MANIFEST = dataclasses.replace(world.MANIFEST, sources=(SOURCE,))


def columns(aws: Aws, name: str) -> list[tuple[str, str]]:
    """Columns of a table as Glue has them."""
    table = aws.glue.get_table(DatabaseName=aws.environment.database, Name=name)["Table"]
    return [(each["Name"], each["Type"]) for each in table["StorageDescriptor"]["Columns"]]


def test_history_and_staging_have_keys_instants_features_and_the_same_place(aws: Aws) -> None:
    ensure_tables(aws.glue, aws.environment, MANIFEST)
    expected = [
        ("origin", "string"),
        ("number", "bigint"),
        ("event_timestamp", "timestamp"),
        ("created_timestamp", "timestamp"),
        ("available_timestamp", "timestamp"),
        ("delay", "double"),
        ("tail", "string"),
        ("flown", "date"),
    ]
    for name in ("legs_v1", "legs_v1__staging"):
        assert columns(aws, name) == expected
        table = aws.glue.get_table(DatabaseName=aws.environment.database, Name=name)["Table"]
        assert [key["Name"] for key in table["PartitionKeys"]] == ["event_date", "run"]
        assert table["StorageDescriptor"]["Location"] == f"s3://{aws.bucket}/history/legs_v1/"


def test_a_second_time_changes_nothing(aws: Aws) -> None:
    first = ensure_tables(aws.glue, aws.environment, MANIFEST)
    assert set(first.values()) == {"created"}
    assert set(first) == {each["Name"] for each in table_inputs(aws.environment, MANIFEST)}
    assert set(ensure_tables(aws.glue, aws.environment, MANIFEST).values()) == {"unchanged"}


def test_a_new_column_is_added_and_one_that_is_not_declared_any_more_stays(aws: Aws) -> None:
    ensure_tables(aws.glue, aws.environment, MANIFEST)
    view = dataclasses.replace(world.LEGS, features=(Feature("delay", "Float64"), Feature("fresh", "Int64")))
    changed = Manifest(MANIFEST.entities, (), (view,))
    assert ensure_tables(aws.glue, aws.environment, changed)["legs_v1"] == "updated"
    names = [name for name, _ in columns(aws, "legs_v1")]
    assert names[-4:] == ["delay", "fresh", "tail", "flown"]


def test_a_changed_type_is_refused_before_any_table_is_touched(aws: Aws) -> None:
    ensure_tables(aws.glue, aws.environment, MANIFEST)
    view = dataclasses.replace(world.LEGS, features=(Feature("delay", "Int64"), Feature("fresh", "Int64")))
    before = columns(aws, "legs_v1")
    with pytest.raises(SourceError, match=r"legs_v1.delay is double and should be bigint"):
        ensure_tables(aws.glue, aws.environment, Manifest(MANIFEST.entities, (SOURCE,), (view,)))
    assert columns(aws, "legs_v1") == before


def test_a_source_in_s3_with_a_date_partition_needs_no_registration() -> None:
    table = source_table_input(SOURCE)
    assert table["Name"] == "src_flights"
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
    assert table["Parameters"]["storage.location.template"] == "s3://bucket/flights/day=${day}/"
    with pytest.raises(SourceError, match="not an S3 prefix"):
        source_table_input(dataclasses.replace(SOURCE, table="raw.flights", path=None))


@pytest.mark.parametrize(
    ("declared", "glue", "fit"),
    [
        (Int64, "bigint", True),
        (Int64, "smallint", True),
        (Int64, "double", False),
        (Float64, "float", True),
        (Float64, "int", True),
        (Float64, "bigint", False),
        (Float64, "decimal(10,2)", False),
        (String, "varchar(12)", True),
        (String, "int", False),
        (Timestamp, "timestamp", True),
        (Timestamp, "string", False),
        (Array(Int64), "array<int>", True),
        (Array(Int64), "array<string>", False),
        (Embedding(3), "array<double>", True),
        (Embedding(3), "double", False),
    ],
)
def test_types_fit_only_without_loss(declared: ValueType, glue: str, fit: bool) -> None:
    assert fits(declared, glue) is fit


def declared(**changes: Any) -> BatchSource:
    """A source over the table ``raw`` of the environment's database or elsewhere."""
    return dataclasses.replace(SOURCE, path=None, date_partition_column=None, **changes)


def test_a_source_as_declared_passes(aws: Aws) -> None:
    kinds = [("origin", "varchar(3)"), ("departed_at", "timestamp"), ("known_at", "timestamp"), ("other", "int")]
    table = parquet_table("raw", kinds, "s3://bucket/raw/")
    aws.glue.create_table(DatabaseName=aws.environment.database, TableInput=table)
    check_source(aws.glue, aws.environment, declared(table=f"{aws.environment.database}.raw"))


def test_all_that_is_wrong_with_a_source_is_said_at_once(aws: Aws) -> None:
    table = parquet_table("raw", [("origin", "int"), ("departed_at", "string")], "s3://bucket/raw/")
    aws.glue.create_table(DatabaseName=aws.environment.database, TableInput=table)
    with pytest.raises(SourceError) as caught:
        check_source(aws.glue, aws.environment, declared(table=f"{aws.environment.database}.raw"))
    said = str(caught.value)
    assert "'origin' is int there, which does not fit the declared String" in said
    assert "'departed_at' is string" in said
    assert "'known_at' is missing; the table has departed_at, origin" in said


def test_a_source_whose_table_is_not_there(aws: Aws) -> None:
    with pytest.raises(SourceError, match=r"no table raw.flights in the Glue catalog"):
        check_source(aws.glue, aws.environment, declared(table="raw.flights"))


def test_a_source_whose_prefix_is_empty_or_unreachable(aws: Aws) -> None:
    for bucket, said in ((aws.bucket, "there is no object under"), ("no-such-bucket-anywhere", "cannot be listed")):
        source = dataclasses.replace(SOURCE, path=f"s3://{bucket}/flights/")
        ensure_tables(aws.glue, aws.environment, Manifest((), (source,)))
        with pytest.raises(SourceError, match=said):
            check_source(aws.glue, aws.environment, source, aws.s3)
    aws.s3.put_object(Bucket=aws.bucket, Key="flights/day=2020-01-01/a.parquet", Body=b"x")
    check_source(aws.glue, aws.environment, dataclasses.replace(SOURCE, path=f"s3://{aws.bucket}/flights/"), aws.s3)


class Unreachable:
    """A Glue that nobody answers for."""

    def get_table(self, **_arguments: Any) -> Any:
        """Fail as boto3 does without a network."""
        raise EndpointConnectionError(endpoint_url="https://glue.example")


def test_a_catalog_that_cannot_be_reached(aws: Aws) -> None:
    with pytest.raises(SourceError, match="the Glue catalog cannot be reached"):
        check_source(Unreachable(), aws.environment, SOURCE)

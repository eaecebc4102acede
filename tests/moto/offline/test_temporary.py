"""Temporary tables are there while they are needed, and gone afterwards whatever happens."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from asof.errors import QueryError
from asof.offline.objects import list_objects, split_uri
from asof.offline.temporary import TemporaryTables, glue_columns
from tests.moto.offline.conftest import Aws

ROWS = pa.table({"asof_row_id": [0, 1], "origin": ["JFK", None], "at": pa.array([0, 1], pa.timestamp("ms"))})


class Failing:
    """A client one of whose operations is refused."""

    def __init__(self, client: Any, operation: str) -> None:
        self._client = client
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        if name != self._operation:
            return getattr(self._client, name)

        def refuse(**_arguments: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not you"}}, name)

        return refuse


def test_rows_are_a_table_over_parquet_until_the_end(aws: Aws) -> None:
    with TemporaryTables(aws.s3, aws.glue, aws.environment).rows(ROWS) as scratch:
        assert aws.tables() == [scratch.table]
        table = aws.glue.get_table(DatabaseName=aws.environment.database, Name=scratch.table)["Table"]
        assert table["StorageDescriptor"]["Location"] == scratch.location
        assert [(each["Name"], each["Type"]) for each in table["StorageDescriptor"]["Columns"]] == [
            ("asof_row_id", "bigint"),
            ("origin", "string"),
            ("at", "timestamp"),
        ]
        (stored,) = list_objects(aws.s3, *split_uri(scratch.location))
        body = aws.s3.get_object(Bucket=stored.bucket, Key=stored.key)["Body"].read()
        assert pq.read_table(pa.BufferReader(body)).equals(ROWS)
    assert aws.state() == ([], [])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_they_are_gone_also_when_the_work_fails(aws: Aws, error: type[BaseException]) -> None:
    with pytest.raises(error), TemporaryTables(aws.s3, aws.glue, aws.environment).rows(ROWS):
        raise error
    assert aws.state() == ([], [])


def test_a_table_that_cannot_be_made_leaves_no_objects(aws: Aws) -> None:
    temporary = TemporaryTables(aws.s3, Failing(aws.glue, "create_table"), aws.environment)
    with pytest.raises(QueryError, match=r"cannot be created.*not you"), temporary.rows(ROWS):
        pytest.fail("there is no table")
    assert aws.state() == ([], [])


def test_what_cannot_be_cleaned_up_is_warned_of_and_the_rest_is_still_cleaned(aws: Aws) -> None:
    temporary = TemporaryTables(aws.s3, Failing(aws.glue, "delete_table"), aws.environment)
    with pytest.warns(RuntimeWarning, match=r"could not be deleted.*not you"), temporary.rows(ROWS):
        pass
    assert aws.keys() == []


def test_what_cannot_be_cleaned_up_is_a_note_on_the_error_in_flight(aws: Aws) -> None:
    temporary = TemporaryTables(Failing(aws.s3, "delete_objects"), aws.glue, aws.environment)
    with pytest.raises(ValueError, match="first") as caught, temporary.rows(ROWS):
        raise ValueError("first")
    assert "temporary objects could not be deleted" in caught.value.__notes__[0]
    assert aws.tables() == []


def test_two_at_once_do_not_meet(aws: Aws) -> None:
    temporary = TemporaryTables(aws.s3, aws.glue, aws.environment)
    with temporary.rows(ROWS) as one:
        with temporary.rows(ROWS) as two:
            assert len({one.table, two.table}) == len({one.location, two.location}) == 2
        assert aws.tables() == [one.table]


def test_a_table_over_another_place_never_deletes_there(aws: Aws) -> None:
    aws.s3.put_object(Bucket=aws.bucket, Key="given/a.parquet", Body=b"x")
    temporary = TemporaryTables(aws.s3, aws.glue, aws.environment)
    with temporary.prefix("source") as scratch:
        temporary.create(scratch, [("a", "string")], f"s3://{aws.bucket}/given/")
    assert aws.state() == (["given/a.parquet"], [])


def test_arrow_types_have_glue_types_or_are_refused_by_name() -> None:
    schema = pa.schema(
        {"a": pa.int16(), "b": pa.list_(pa.float32()), "c": pa.decimal128(10, 2), "d": pa.date32(), "e": pa.bool_()}
    )
    assert [kind for _, kind in glue_columns(schema)] == [
        "smallint",
        "array<float>",
        "decimal(10,2)",
        "date",
        "boolean",
    ]
    with pytest.raises(QueryError, match="column 'x' has the Arrow type duration"):
        glue_columns(pa.schema({"x": pa.duration("s")}))

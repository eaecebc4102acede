"""Everything that can be wrong with a call gives one clear error, and leaves nothing behind."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from asof.errors import EntityRowsError, NaiveDatetimeError, QueryError, RequestError, UnknownFeatureError
from asof.offline.entity_rows import EntityS3
from asof.offline.retrieval import get_historical_features
from tests.moto.offline import world
from tests.moto.offline.conftest import Aws

ENGINES = pytest.mark.parametrize("engine", ["athena", "duckdb"])
AT = datetime(2020, 1, 31, tzinfo=timezone.utc)
GOOD = {"origin": ["JFK"], "number": [1], "event_timestamp": [AT], "planned": [AT], "seats": [1]}


def ask(aws: Aws, engine: str, rows: Any, features: Any = ("legs", "risk"), **options: Any) -> pa.Table:
    """Run a call to its end, silently."""
    options["progress"] = lambda _what, _done: None
    return get_historical_features(world.MANIFEST, aws.engine(engine), rows, features, **options).to_arrow()


@ENGINES
def test_all_that_is_wrong_with_a_frame_is_said_at_once(built: Aws, engine: str) -> None:
    before = built.state()
    frame = pd.DataFrame({"orgin": ["JFK"], "number": ["1"], "event_timestamp": ["2020-01-31"], "delay": [0]})
    with pytest.raises(EntityRowsError) as caught:
        ask(built, engine, frame)
    said = str(caught.value)
    assert "'origin' (an entity key) is missing; is it 'orgin'?" in said
    assert "'number' is large_string, but is declared Int64" in said
    assert "'event_timestamp' is large_string, not a timestamp; convert it" in said
    assert "'delay' is also a feature's name" in said
    assert "'planned' (a request field) is missing" in said
    assert "'seats' (a request field) is missing" in said
    assert "nothing was run" in said
    assert built.state() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": [1.5]}, "holds fractions"),
        ({"number": [2.0**53]}, "2\\*\\*53"),
        ({"number": [True]}, "is bool, but is declared Int64"),
        ({"number": pa.array([2**63], pa.uint64())}, "does not fit Int64"),
        ({"origin": [7]}, "is int64, but is declared String"),
        ({"event_timestamp": [None]}, "null in 1 rows, the first is row 0"),
        ({"event_timestamp": [date(2020, 1, 31)]}, "not a timestamp"),
        ({"event_timestamp": [1580428800000]}, "not a timestamp"),
        ({"planned": ["soon"]}, "not a timestamp"),
        ({"seats": [0.5]}, "holds fractions"),
        ({"asof_row_id": [1]}, "reserved"),
        ({"score": [1.0]}, "also a feature's name"),
    ],
)
def test_a_column_that_does_not_fit_is_refused(built: Aws, changes: dict[str, Any], said: str) -> None:
    before = built.state()
    with pytest.raises(EntityRowsError, match=said):
        ask(built, "athena", pa.table({**GOOD, **changes}))
    assert built.state() == before


def test_a_pandas_column_of_several_types_is_refused(built: Aws) -> None:
    frame = pd.DataFrame({**GOOD, "number": pd.Series([1], dtype=object)})
    mixed = pd.concat([frame, frame.assign(number=["x"])], ignore_index=True)
    with pytest.raises(EntityRowsError, match="'number' holds values of several types"):
        ask(built, "athena", mixed)


@ENGINES
def test_an_unknown_feature_is_answered_with_the_nearest_names(built: Aws, engine: str) -> None:
    before = built.state()
    with pytest.raises(UnknownFeatureError, match="nearest names are legs:delay"):
        ask(built, engine, pd.DataFrame(GOOD), ["legs:dealy"])
    assert built.state() == before


def test_a_naive_known_as_of_is_refused(built: Aws) -> None:
    naive = datetime(2020, 1, 31)  # noqa: DTZ001  # what is to be refused
    with pytest.raises(NaiveDatetimeError, match="known_as_of"):
        ask(built, "athena", pd.DataFrame(GOOD), known_as_of=naive)
    with pytest.raises(RequestError, match="known_as_of='yesterday' is a str"):
        ask(built, "athena", pd.DataFrame(GOOD), known_as_of="yesterday")


def test_other_arguments_that_do_not_fit(built: Aws) -> None:
    for rows, said in (
        ("DROP TABLE legs_v1", "neither a SELECT"),
        (7, "is a int"),
        ([{"origin": "JFK"}], "is a list"),
    ):
        with pytest.raises(RequestError, match=said):
            ask(built, "athena", rows)
    with pytest.raises(RequestError, match="as_of='now' is not a rule"):
        ask(built, "athena", pd.DataFrame(GOOD), as_of="now")
    with pytest.raises(RequestError, match="full_feature_names=True"):
        ask(built, "athena", pd.DataFrame(GOOD), ["weather:wind", "traffic:wind"])


@ENGINES
def test_a_query_with_wrong_columns_is_refused_before_it_is_run(built: Aws, engine: str) -> None:
    before = built.state()
    sql = "SELECT 'JFK' AS orgin, 1.5 AS number, '2020-01-31' AS event_timestamp, 1 AS seats, 2 AS delay"
    with pytest.raises(EntityRowsError) as caught:
        ask(built, engine, sql)
    said = str(caught.value)
    assert "is it 'orgin'?" in said
    assert "'number' (an entity key) is decimal" in said
    assert "'event_timestamp' (the label time) is varchar" in said
    assert "'planned' (a request field) is missing" in said
    assert "'delay' is also a feature's name" in said
    assert built.state() == before


@ENGINES
def test_a_query_whose_labels_are_missing_is_refused(built: Aws, engine: str) -> None:
    before = built.state()
    sql = "SELECT 'JFK' AS origin, CAST(NULL AS timestamp) AS event_timestamp"
    with pytest.raises(EntityRowsError, match="null in 1 rows"):
        ask(built, engine, sql, ["weather:wind"])
    assert built.state() == before


@ENGINES
def test_a_query_that_fails_leaves_nothing_behind(built: Aws, engine: str) -> None:
    before = built.state()
    for sql in ("SELECT * FROM nowhere", "SELECT 1 +", "SELECT CAST('x' AS bigint) AS number"):
        with pytest.raises((QueryError, EntityRowsError)):
            ask(built, engine, sql, ["weather:wind"])
    assert built.state() == before


@ENGINES
def test_a_prefix_without_objects_and_a_bucket_that_is_not_there_are_refused(built: Aws, engine: str) -> None:
    before = built.state()
    with pytest.raises(EntityRowsError, match="no Parquet object lies under"):
        ask(built, engine, EntityS3(f"s3://{built.bucket}/nothing"), ["weather:wind"])
    with pytest.raises(QueryError, match="cannot be listed"):
        ask(built, engine, "s3://no-such-bucket-anywhere/x/", ["weather:wind"])
    assert built.state() == before


@ENGINES
def test_a_history_that_is_gone_is_a_query_error(built: Aws, engine: str) -> None:
    name = "legs_v1"
    table = built.glue.get_table(DatabaseName=built.environment.database, Name=name)["Table"]
    wanted = {part: table[part] for part in ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")}
    built.glue.update_table(
        DatabaseName=built.environment.database,
        TableInput=wanted | {"Name": name, "StorageDescriptor": table["StorageDescriptor"] | {"Columns": []}},
    )
    try:
        before = built.state()
        with pytest.raises(QueryError):
            ask(built, engine, pd.DataFrame(GOOD))
        assert built.state() == before
    finally:
        built.glue.update_table(DatabaseName=built.environment.database, TableInput=wanted)


def test_labels_of_any_unit_and_zone_mean_the_same_instant_floored_to_milliseconds(built: Aws) -> None:
    instant = datetime(2020, 2, 1, 3, 0, 0, 1_999, tzinfo=timezone.utc)
    zone = timezone(timedelta(hours=5, minutes=30))
    frames = [
        pd.DataFrame({"origin": ["JFK"], "event_timestamp": [at]})
        for at in (instant, instant.astimezone(zone), instant.replace(tzinfo=None), pd.Timestamp(instant))
    ]
    rows = [ask(built, "duckdb", frame, ["weather"]).drop_columns("event_timestamp") for frame in frames]
    assert all(row.equals(rows[0]) for row in rows)

"""Training sets on both engines against plain Python, for every way of giving entity rows."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pytest

from asof.offline.entity_rows import EntityS3, EntitySQL
from asof.offline.objects import list_objects
from asof.offline.parquet import read_prefix
from asof.offline.retrieval import RetrievalJob, get_historical_features
from asof.offline.tables import parquet_table
from tests.moto.offline import world
from tests.moto.offline.conftest import Aws

FEATURES = ["legs", "weather", "traffic", "risk"]
LABEL_TYPES = {
    "origin": pa.string(),
    "number": pa.int64(),
    "event_timestamp": pa.timestamp("us", "UTC"),
    "planned": pa.timestamp("ms", "UTC"),
    "seats": pa.int32(),
    "i": pa.int64(),
    "note": pa.string(),
}


def label_table(seed: int) -> pa.Table:
    """The entity rows as an Arrow table."""
    return pa.Table.from_pylist(world.labels(seed), pa.schema(list(LABEL_TYPES.items())))


def give(aws: Aws, kind: str, seed: int) -> Any:
    """The entity rows in one of the ways a caller may give them."""
    table = label_table(seed)
    if kind == "arrow":
        return table
    if kind == "pandas":
        return table.to_pandas()
    place = f"given/{kind}{seed}/"
    aws.s3.put_object(Bucket=aws.bucket, Key=f"{place}a.parquet", Body=world.parquet(table.slice(0, 30)))
    aws.s3.put_object(Bucket=aws.bucket, Key=f"{place}b.parquet", Body=world.parquet(table.slice(30)))
    location = f"s3://{aws.bucket}/{place}"
    if kind == "s3":
        return EntityS3(location)
    name = f"labels_{seed}"
    glue = {"number": "bigint", "seats": "int", "i": "bigint", "event_timestamp": "timestamp", "planned": "timestamp"}
    columns = [(column, glue.get(column, "string")) for column in LABEL_TYPES]
    aws.glue.create_table(DatabaseName=aws.environment.database, TableInput=parquet_table(name, columns, location))
    return EntitySQL(f"WITH some AS (SELECT * FROM {name}) SELECT * FROM some -- all of them")


def ask(aws: Aws, engine: str, rows: Any, features: Any = FEATURES, **options: Any) -> RetrievalJob:
    """A silent job with full feature names."""
    return get_historical_features(
        world.MANIFEST,
        aws.engine(engine),
        rows,
        features,
        **{"full_feature_names": True, "progress": lambda _what, _done: None, **options},
    )


def answers(table: pa.Table) -> list[world.Row]:
    """The features of a training set by entity row, in the order of their numbers."""
    own = set(LABEL_TYPES) - {"i"}
    rows = sorted(table.to_pylist(), key=lambda row: int(row["i"]))
    return [{name: value for name, value in row.items() if name not in own} for row in rows]


@pytest.mark.parametrize("kind", ["pandas", "arrow", "sql", "s3"])
@pytest.mark.parametrize("engine", ["athena", "duckdb"])
@pytest.mark.parametrize("as_of", ["served", "event"])
def test_every_row_gets_what_plain_python_says(
    built: Aws, engine: str, kind: str, as_of: Literal["served", "event"]
) -> None:
    seed = sum(map(ord, engine + kind + as_of))
    before = built.tables()
    job = ask(built, engine, give(built, kind, seed), as_of=as_of)
    table = job.to_arrow()
    expected = [{"i": label["i"], **world.right_answer(built.history, label, as_of)} for label in world.labels(seed)]
    assert answers(table) == expected
    assert set(built.tables()) - set(before) <= {f"labels_{seed}"}
    assert built.keys("scratch/") == []
    assert job.scanned_bytes


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_rows_created_after_known_as_of_do_not_exist(built: Aws, engine: str) -> None:
    known = datetime(2020, 1, 31, 12, tzinfo=timezone.utc)
    table = ask(built, engine, label_table(7), known_as_of=known).to_arrow()
    assert answers(table) == [
        {"i": label["i"], **world.right_answer(built.history, label, known_as_of=known)} for label in world.labels(7)
    ]


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_a_pandas_frame_keeps_its_columns_dtypes_index_and_order(built: Aws, engine: str) -> None:
    frame = label_table(3).to_pandas().sample(frac=1, random_state=1)
    frame.index = pd.Index(["same"] * len(frame), name="key")
    frame["kept"] = pd.Categorical(["x"] * len(frame))
    frame.attrs["about"] = "labels"
    before = frame.copy(deep=True)
    result = ask(built, engine, frame, ["legs:delay", "traffic:departures"]).to_pandas()
    pd.testing.assert_frame_equal(result[list(before.columns)], before)
    pd.testing.assert_frame_equal(frame, before)
    assert list(result.columns) == [*before.columns, "legs__delay", "traffic__departures"]
    assert result.attrs == {"about": "labels"}
    by_number = {label["i"]: world.right_answer(built.history, label) for label in world.labels(3)}
    found = result["traffic__departures"].astype(object).where(result["traffic__departures"].notna(), None)
    assert list(found) == [by_number[i]["traffic__departures"] for i in result["i"]]


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_pandas_dtypes_are_nullable_only_where_there_are_nulls(built: Aws, engine: str) -> None:
    result = ask(built, engine, label_table(3)).to_pandas()
    assert {name: str(result[name].dtype) for name in result.columns if "__" in name} == {
        "legs__delay": "float64",
        "legs__tail": "str",
        "legs__flown": "object",
        "weather__wind": "float64",
        "weather__observed": "datetime64[ms, UTC]",
        "weather__storm": "boolean",
        "weather__gusts": "object",
        "traffic__departures": "Int64",
        "traffic__shape": "object",
        "traffic__wind": "float64",
        "risk__score": "float64",
        "risk__since": "Int64",
    }
    unseen = pa.table({"origin": ["LGA"], "event_timestamp": [world.START]})
    assert str(ask(built, engine, unseen, ["traffic:departures"]).to_pandas().dtypes.iloc[-1]) == "int64"


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
@pytest.mark.parametrize("kind", ["arrow", "sql", "s3"])
def test_to_s3_stores_the_training_set_with_its_record(built: Aws, engine: str, kind: str) -> None:
    seed = 1000 + sum(map(ord, engine + kind))
    location = f"s3://{built.bucket}/sets/{engine}-{kind}"
    job = ask(built, engine, give(built, kind, seed), ["legs:delay", "traffic"])
    saved = job.to_s3(location)
    stored = read_prefix(built.s3, saved.location)
    assert stored is not None
    assert stored.column_names == [
        *LABEL_TYPES,
        "legs__delay",
        "traffic__departures",
        "traffic__shape",
        "traffic__wind",
    ]
    expected = [world.right_answer(built.history, label) for label in world.labels(seed)]
    names = stored.column_names[-4:]
    assert [{name: row[name] for name in names} for row in answers(stored)] == [
        {name: row[name] for name in names} for row in expected
    ]
    assert (saved.name, saved.rows) == (f"{engine}-{kind}", stored.num_rows)
    assert saved.features == ("legs@v1:delay", "traffic@v2:departures", "traffic@v2:shape", "traffic@v2:wind")
    assert built.keys("scratch/") == []


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_an_empty_frame_gives_an_empty_training_set_with_all_columns(built: Aws, engine: str) -> None:
    full = ask(built, engine, label_table(5)).to_arrow()
    empty = ask(built, engine, label_table(5).slice(0, 0)).to_arrow()
    assert empty.num_rows == 0
    assert empty.schema == full.schema
    frame = ask(built, engine, label_table(5).slice(0, 0).to_pandas()).to_pandas()
    assert list(frame.columns) == full.column_names


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_a_query_without_rows_gives_an_empty_training_set(built: Aws, engine: str) -> None:
    sql = "SELECT origin, event_timestamp, 'x' AS note FROM weather_v1 WHERE origin = 'nowhere'"
    job = ask(built, engine, sql, ["weather:wind", "traffic:departures"])
    table = job.to_arrow()
    assert table.num_rows == 0
    assert table.column_names == ["origin", "event_timestamp", "note", "weather__wind", "traffic__departures"]
    assert ask(built, engine, sql, ["weather:wind"]).to_s3(f"s3://{built.bucket}/sets/none-{engine}/").rows == 0


def test_on_demand_features_of_request_fields_alone_need_no_engine_to_run(built: Aws) -> None:
    job = ask(built, "athena", label_table(4), ["risk:score"])
    assert [row["risk__score"] for row in job.to_arrow().to_pylist()] == [
        world.right_answer(built.history, label)["risk__score"] for label in world.labels(4)
    ]


def test_nothing_runs_before_the_result_is_wanted_and_nothing_runs_twice(built: Aws) -> None:
    steps: list[str] = []
    job = ask(built, "athena", label_table(6), progress=lambda what, _done: steps.append(what))
    assert "max_by" in job.sql.lower()
    assert (steps, job.scanned_bytes, job.query_ids) == ([], None, ())
    job.to_arrow()
    once = list(steps)
    assert once
    job.to_pandas()
    assert steps == once
    assert len(job.query_ids) == 1


def test_an_unknown_place_and_a_place_in_use_are_refused(built: Aws) -> None:
    job = ask(built, "duckdb", label_table(6), ["legs:delay"])
    assert list(list_objects(built.s3, built.bucket, "sets/mine/")) == []
    job.to_s3(f"s3://{built.bucket}/sets/mine/")
    with pytest.raises(Exception, match="is not empty"):
        job.to_s3(f"s3://{built.bucket}/sets/mine/")

"""Glue's tables as Athena reads them: declared types, partitions anywhere, pruning, formats, bad data."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asof.local.athena.catalog import PARQUET_STORAGE
from tests.moto.local.conftest import Asker

JSON_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
}
CSV_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ";"},
    },
}


def _table(
    ask: Asker,
    columns: Mapping[str, str],
    keys: Mapping[str, str] | None = None,
    storage: Mapping[str, Any] = PARQUET_STORAGE,
) -> tuple[str, str]:
    """A registered table; returns its name and location."""
    name, location = ask.name(), ask.location()
    named = [{"Name": column, "Type": kind} for column, kind in columns.items()]
    described = {**storage, "Columns": named, "Location": location}
    ask.session.client("glue").create_table(
        DatabaseName=ask.environment.database,
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in (keys or {}).items()],
            "StorageDescriptor": described,  # type: ignore[typeddict-item] # a plain dict
        },
    )
    return name, location


def _put(ask: Asker, uri: str, data: bytes) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    ask.session.client("s3").put_object(Bucket=bucket, Key=key, Body=data)


def _parquet(ask: Asker, uri: str, table: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    _put(ask, uri, buffer.getvalue())


def _partition(ask: Asker, table: str, values: Sequence[str], location: str) -> None:
    ask.session.client("glue").create_partition(
        DatabaseName=ask.environment.database,
        TableName=table,
        PartitionInput={"Values": list(values), "StorageDescriptor": {"Location": location}},
    )


def test_columns_are_matched_by_name_and_have_their_declared_types(ask: Asker) -> None:
    """A file's order, case and extra columns do not matter; a missing column is NULL; integers widen."""
    table, location = _table(ask, {"id": "bigint", "later": "double", "name": "string"})
    _parquet(ask, f"{location}a", pa.table({"Name": ["x"], "extra": [1], "ID": pa.array([7], pa.int32())}))
    _parquet(ask, f"{location}b", pa.table({"id": [8], "later": pa.array([0.5], pa.float32())}))
    assert ask.rows(f"SELECT * FROM {table} ORDER BY id") == [["7", None, "x"], ["8", "0.5", None]]


def test_every_type_round_trips(ask: Asker) -> None:
    """From Parquet files written by Arrow to Athena's text."""
    kinds = {"b": "bigint", "d": "double", "o": "boolean", "s": "string", "t": "timestamp", "a": "date"}
    table, location = _table(ask, {**kinds, "l": "array<bigint>", "e": "array<float>", "c": "decimal(9,2)"})
    moment = datetime(2020, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001 # Parquet without a zone
    rows = pa.table(
        {
            "b": [1],
            "d": [float("nan")],
            "o": [True],
            "s": ["ä"],
            "t": pa.array([moment], pa.timestamp("ms")),
            "a": [date(2020, 1, 2)],
            "l": [[1, 2]],
            "e": pa.array([[0.5]], pa.list_(pa.float32())),
            "c": pa.array([None], pa.decimal128(9, 2)),
        }
    )
    _parquet(ask, f"{location}a", rows)
    assert ask.rows(f"SELECT * FROM {table}") == [
        ["1", "NaN", "true", "ä", "2020-01-02 03:04:05.678", "2020-01-02", "[1, 2]", "[0.5]", None]
    ]


def test_nan_is_found_beside_numbers(ask: Asker) -> None:
    """A file's least and greatest values are of its numbers alone, whatever else it holds."""
    table, location = _table(ask, {"x": "double"})
    _parquet(ask, f"{location}a", pa.table({"x": [float("nan"), 2.0, 1.0]}))
    number = "CASE WHEN NOT is_nan(x) THEN x END"
    assert ask.rows(f"SELECT max({number}), bool_or(is_nan(x)), count(x) FROM {table}") == [["2.0", "true", "3"]]
    assert ask.rows(f"SELECT count(*) FROM {table} WHERE is_nan(x)") == [["1"]]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_timestamps_are_read_to_the_millisecond(ask: Asker, unit: str, zone: str | None) -> None:
    """Trino rounds finer units when it reads, halves up, before and after 1970, with or without a zone."""
    table, location = _table(ask, {"t": "timestamp"})
    micros = [1_000_499, 1_000_500, -499, -500, -501, -1_500]
    per = {"ms": 0.001, "us": 1, "ns": 1000}[unit]
    values = pa.array([int(each * per) for each in micros] if unit != "ms" else [1000, 1001, 0, 0, -1, -1])
    _parquet(ask, f"{location}a", pa.table({"t": values.cast(pa.timestamp(unit, zone))}))
    texts = [row[0] for row in ask.rows(f"SELECT t FROM {table}")]
    assert texts == [
        "1970-01-01 00:00:01.000",
        "1970-01-01 00:00:01.001",
        "1970-01-01 00:00:00.000",
        "1970-01-01 00:00:00.000",
        "1969-12-31 23:59:59.999",
        "1969-12-31 23:59:59.999",
    ]


def test_int96_timestamps_are_read(ask: Asker) -> None:
    """What Hive and Spark write."""
    table, location = _table(ask, {"t": "timestamp"})
    buffer = io.BytesIO()
    moments = pa.array([1_577_836_800_123], pa.timestamp("ms"))
    pq.write_table(pa.table({"t": moments}), buffer, use_deprecated_int96_timestamps=True)
    _put(ask, f"{location}a", buffer.getvalue())
    assert ask.rows(f"SELECT t FROM {table}") == [["2020-01-01 00:00:00.123"]]


def test_partitions_are_where_they_are_registered(ask: Asker) -> None:
    """Their columns are constants of the declared type, whatever the path; what is not registered does not exist."""
    table, location = _table(ask, {"n": "bigint"}, {"year": "int", "run": "string"})
    elsewhere = ask.location()
    _parquet(ask, f"{elsewhere}any/where/file", pa.table({"n": [1]}))
    _parquet(ask, f"{location}year=2021/run=b/file", pa.table({"n": [2], "run": ["other"]}))
    _parquet(ask, f"{location}year=2022/run=c/file", pa.table({"n": [3]}))
    _partition(ask, table, ["2020", "a/b c=%1"], f"{elsewhere}any/where")
    _partition(ask, table, ["2021", "b"], f"{location}year=2021/run=b/")
    assert ask.rows(f"SELECT n, year + 1, run FROM {table} ORDER BY n") == [
        ["1", "2021", "a/b c=%1"],
        ["2", "2022", "b"],
    ]


def test_a_partition_of_null(ask: Asker) -> None:
    """Hive's name for it reads as NULL."""
    table, location = _table(ask, {"n": "bigint"}, {"p": "string"})
    _parquet(ask, f"{location}x", pa.table({"n": [1]}))
    _partition(ask, table, ["__HIVE_DEFAULT_PARTITION__"], location)
    assert ask.rows(f"SELECT n, p FROM {table} WHERE p IS NULL") == [["1", None]]


def test_empty_tables_have_their_columns(ask: Asker) -> None:
    """No location, no objects, no partitions, only hidden and empty objects: no rows, but types."""
    table, location = _table(ask, {"n": "bigint", "t": "timestamp"})
    assert ask.rows(f"SELECT n + 1, t FROM {table}") == []
    _put(ask, f"{location}_SUCCESS", b"x")
    _put(ask, f"{location}.hidden", b"x")
    _put(ask, f"{location}empty", b"")
    assert ask.rows(f"SELECT count(*), max(n) FROM {table}") == [["0", None]]
    partitioned, _ = _table(ask, {"n": "bigint"}, {"p": "string"})
    assert ask.rows(f"SELECT n, p FROM {partitioned}") == []
    _partition(ask, partitioned, ["x"], ask.location())
    assert ask.rows(f"SELECT n, p FROM {partitioned}") == []


def test_a_changed_object_is_read_anew(ask: Asker) -> None:
    """Copies are by content; a deleted object is gone."""
    table, location = _table(ask, {"n": "bigint"})
    for number in (1, 2):
        _parquet(ask, f"{location}a", pa.table({"n": [number]}))
        assert ask.rows(f"SELECT n FROM {table}") == [[str(number)]]
    bucket, _, key = f"{location}a".removeprefix("s3://").partition("/")
    ask.session.client("s3").delete_object(Bucket=bucket, Key=key)
    assert ask.rows(f"SELECT n FROM {table}") == []


@pytest.mark.parametrize(
    ("condition", "partitions"),
    [
        ("day = '2020-01-02'", 1),
        ("day BETWEEN '2020-01-02' AND '2020-01-03'", 2),
        ("day IN ('2020-01-01', '2020-01-04') AND n > 0", 2),
        ("t.day >= '2020-01-03' AND starts_with(t.run, 'b')", 1),
        ("CAST(day AS date) > DATE '2020-01-03'", 1),
        ("day > '2020-01-01' OR n = 1", 4),
        ("n = 1", 4),
        ("NOT day = '2020-01-01'", 3),
    ],
)
def test_partitions_that_a_condition_excludes_are_not_scanned(ask: Asker, condition: str, partitions: int) -> None:
    """Scanned bytes tell; conditions on other columns, or either-or, exclude nothing."""
    table, location = _table(ask, {"n": "bigint"}, {"day": "string", "run": "string"})
    for number in (1, 2, 3, 4):
        day, run = f"2020-01-0{number}", "a" if number % 2 else "b"
        _parquet(ask, f"{location}{day}/x", pa.table({"n": [number]}))
        _partition(ask, table, [day, run], f"{location}{day}/")
    whole = ask.done(f"SELECT n FROM {table}")["Statistics"]["DataScannedInBytes"]
    some = ask.done(f"SELECT n FROM {table} AS t WHERE {condition}")["Statistics"]["DataScannedInBytes"]
    assert some * 4 == whole * partitions


def test_outer_joins_keep_their_rows_beside_conditions(ask: Asker) -> None:
    """A condition that is about the made-up rows must not exclude partitions."""
    table, location = _table(ask, {"n": "bigint"}, {"day": "string"})
    for number in (1, 2):
        _parquet(ask, f"{location}{number}/x", pa.table({"n": [number]}))
        _partition(ask, table, [str(number)], f"{location}{number}/")
    keys = "(VALUES 1, 2, 3) AS k(n)"
    rows = ask.rows(f"SELECT k.n FROM {keys} LEFT JOIN {table} ON k.n = {table}.n WHERE day IS NULL")
    assert rows == [["3"]]


def test_scanned_bytes_are_the_column_chunks_that_are_read(ask: Asker) -> None:
    """Compressed sizes of the columns a statement names; all of them for ``*``."""
    table, location = _table(ask, {"n": "bigint", "wide": "string"})
    rows = pa.table({"n": list(range(1000)), "wide": [f"{number:0100d}" for number in range(1000)]})
    _parquet(ask, f"{location}x", rows)
    metadata = pq.ParquetFile(io.BytesIO(ask.read(location, "x"))).metadata.row_group(0)
    sizes = [metadata.column(position).total_compressed_size for position in (0, 1)]
    scanned = {
        sql: ask.done(f"SELECT {sql} FROM {table}")["Statistics"]["DataScannedInBytes"]
        for sql in ("n", "wide", "*", "count(*)")
    }
    assert scanned == {"n": sizes[0], "wide": sizes[1], "*": sum(sizes), "count(*)": 0}


def test_tables_of_other_databases_are_named_with_theirs(ask: Asker) -> None:
    """With and without quotes; the context's database is for names without one."""
    table, location = _table(ask, {"n": "bigint"})
    _parquet(ask, f"{location}x", pa.table({"n": [1]}))
    database = ask.environment.database
    for name in (f"{database}.{table}", f'"{database}"."{table}"', f"AwsDataCatalog.{database}.{table}"):
        assert ask.rows(f"SELECT {name.split('.', 9)[-1]}.n FROM {name}", QueryExecutionContext={}) == [["1"]]
    assert ask.reason(f"SELECT n FROM {table}", QueryExecutionContext={}).startswith("SCHEMA_NOT_FOUND")


def test_fields_of_row_columns_are_no_databases(ask: Asker) -> None:
    """``alias.column.field`` looks like ``database.table.column``."""
    rows = "(SELECT CAST(ROW(1, 'x') AS row(e bigint, f varchar)) AS p) AS {}"
    sql = f"SELECT a.p.e + b.p.e, a.p.f FROM {rows.format('a')} CROSS JOIN {rows.format('b')} WHERE a.p.e = 1"
    assert ask.rows(sql) == [["2", "x"]]


def test_a_table_may_be_read_several_times_in_a_statement(ask: Asker) -> None:
    """With different conditions, in WITH, subqueries, EXISTS and unions."""
    table, location = _table(ask, {"n": "bigint"}, {"day": "string"})
    for number in (1, 2, 3):
        _parquet(ask, f"{location}{number}/x", pa.table({"n": [number]}))
        _partition(ask, table, [str(number)], f"{location}{number}/")
    sql = (
        f"WITH one AS (SELECT n FROM {table} WHERE day = '1') "
        f"SELECT a.n, (SELECT max(n) FROM {table} WHERE day <= '2') FROM one AS a "
        f"WHERE EXISTS (SELECT 1 FROM {table} AS b WHERE b.n = a.n + 2) "
        f"UNION ALL SELECT n, NULL FROM {table} WHERE day = '3'"
    )
    assert ask.rows(sql) == [["1", "2"], ["3", None]]


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("string", pa.array([1])),
        ("bigint", pa.array(["1"])),
        ("bigint", pa.array([1.5])),
        ("timestamp", pa.array([1])),
        ("boolean", pa.array([1])),
        ("array<bigint>", pa.array([1])),
    ],
)
def test_a_file_of_another_type_is_bad_data(ask: Asker, declared: str, values: pa.Array) -> None:
    """As Athena says it; DuckDB would have cast."""
    table, location = _table(ask, {"x": declared})
    _parquet(ask, f"{location}a", pa.table({"x": values}))
    assert ask.reason(f"SELECT x FROM {table}").startswith("HIVE_BAD_DATA")


def test_an_object_that_is_no_parquet_is_named(ask: Asker) -> None:
    """With its URI."""
    table, location = _table(ask, {"x": "bigint"})
    _put(ask, f"{location}a", b"not parquet")
    assert f"{location}a" in ask.reason(f"SELECT x FROM {table}")


def test_json_and_csv_tables(ask: Asker) -> None:
    """Simple forms of both; scanned bytes are the objects' sizes."""
    columns = {"n": "bigint", "s": "string", "l": "array<double>"}
    table, location = _table(ask, columns, storage=JSON_STORAGE)
    lines = [{"n": 1, "s": "x", "l": [0.5]}, {"n": None, "extra": 1}]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    _put(ask, f"{location}a.json", data)
    execution = ask.done(f"SELECT * FROM {table}")
    assert ask.page(execution["QueryExecutionId"])[1:] == [["1", "x", "[0.5]"], [None, None, None]]
    assert execution["Statistics"]["DataScannedInBytes"] == len(data)
    table, location = _table(ask, {"n": "bigint", "s": "string"}, storage=CSV_STORAGE)
    _put(ask, f"{location}a.csv", b'1;"x;y"\n2;z\n')
    assert ask.rows(f"SELECT * FROM {table} ORDER BY n") == [["1", "x;y"], ["2", "z"]]


def test_what_it_cannot_read_is_refused_by_name(ask: Asker) -> None:
    """Another SerDe, a view, a type it does not know, the information schema."""
    orc = {"SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.orc.OrcSerde"}}
    table, _ = _table(ask, {"n": "bigint"}, storage=orc)
    assert "OrcSerde" in ask.reason(f"SELECT n FROM {table}")
    table, _ = _table(ask, {"n": "uniontype<int,string>"})
    assert "uniontype" in ask.reason(f"SELECT n FROM {table}")
    assert "information_schema" in ask.reason("SELECT * FROM information_schema.tables")
    glue = ask.session.client("glue")
    view = {"Name": ask.name(), "TableType": "VIRTUAL_VIEW", "StorageDescriptor": {"Columns": []}}
    glue.create_table(DatabaseName=ask.environment.database, TableInput=view)  # type: ignore[arg-type] # a plain dict
    assert f"the view {ask.environment.database}.{view['Name']}" in ask.reason(f"SELECT * FROM {view['Name']}")


def test_hundreds_of_partitions_stay_quick_to_query(ask: Asker) -> None:
    """Only what a condition leaves is copied and read."""
    table, location = _table(ask, {"n": "bigint"}, {"day": "string"})
    buffer = io.BytesIO()
    pq.write_table(pa.table({"n": [1]}), buffer)
    glue = ask.session.client("glue")
    for start in range(0, 200, 100):
        inputs = []
        for number in range(start, start + 100):
            _put(ask, f"{location}{number:03d}/x", buffer.getvalue())
            place = {"Location": f"{location}{number:03d}/"}
            inputs.append({"Values": [f"{number:03d}"], "StorageDescriptor": place})
        glue.batch_create_partition(
            DatabaseName=ask.environment.database,
            TableName=table,
            PartitionInputList=inputs,  # type: ignore[arg-type] # plain dicts
        )
    assert ask.rows(f"SELECT sum(n) FROM {table} WHERE day < '010'") == [["10"]]
    assert ask.rows(f"SELECT sum(n), count(DISTINCT day) FROM {table}") == [["200", "200"]]

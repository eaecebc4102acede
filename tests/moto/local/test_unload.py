"""UNLOAD: what it writes, where, and what it refuses."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow.parquet as pq
import pytest

from tests.moto.local.conftest import Asker

TYPED = """
SELECT BIGINT '1' AS b, 2 AS i, 1.5e0 AS d, 'x' AS v, true AS o, DATE '2020-01-02' AS a,
       TIMESTAMP '2020-01-02 03:04:05.678' AS m, ARRAY[1.5e0] AS l, sum(n) AS s,
       CAST(ROW(1, 'a') AS row(p bigint, q varchar)) AS w
FROM (VALUES 1, 2) AS t(n)
"""


def _tables(ask: Asker, location: str) -> dict[str, pq.ParquetFile]:
    return {key: pq.ParquetFile(io.BytesIO(ask.read(location, key))) for key in ask.keys(location)}


def test_types_are_athenas(ask: Asker) -> None:
    """Integers stay integers, sums of them are 64 bits, times have no zone and tick in milliseconds."""
    location = ask.location()
    ask.done(f"UNLOAD ({TYPED}) TO '{location}' WITH (format = 'PARQUET')")
    (file,) = _tables(ask, location).values()
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types == {
        "b": "int64",
        "i": "int32",
        "d": "double",
        "v": "string",
        "o": "bool",
        "a": "date32[day]",
        "m": "timestamp[ms]",
        "l": "list<element: double>",
        "s": "int64",
        "w": "struct<p: int64, q: string>",
    }
    assert file.read().to_pylist()[0]["s"] == 3


@pytest.mark.parametrize("compression", ["ZSTD", "SNAPPY", "GZIP"])
def test_compressions_of_parquet(ask: Asker, compression: str) -> None:
    """As asked for; GZIP is Athena's default."""
    location = ask.location()
    ask.done(f"UNLOAD (SELECT 1 AS a) TO '{location}' WITH (format = 'PARQUET', compression = '{compression}')")
    (file,) = _tables(ask, location).values()
    assert file.metadata.row_group(0).column(0).compression == compression


def test_partitions_are_folders_without_their_columns(ask: Asker) -> None:
    """Values are escaped as Hive does, and NULL has a folder of its own."""
    location = ask.location()
    rows = "VALUES (1, '2020-01-01', 'r/1'), (2, '2020-01-01', 'r 2'), (3, NULL, 'x')"
    ask.done(
        f"UNLOAD (SELECT n, event_date, run FROM ({rows}) AS t(n, event_date, run)) TO '{location}' "
        "WITH (format = 'PARQUET', partitioned_by = ARRAY['event_date', 'run'])"
    )
    tables = _tables(ask, location)
    assert sorted(key.rsplit("/", 1)[0] for key in tables) == [
        "event_date=2020-01-01/run=r 2",
        "event_date=2020-01-01/run=r%2F1",
        "event_date=__HIVE_DEFAULT_PARTITION__/run=x",
    ]
    assert {tuple(file.schema_arrow.names) for file in tables.values()} == {("n",)}


def test_json_lines_are_compressed_and_numbers_read_back(ask: Asker) -> None:
    """Doubles as their shortest text; NULL is null."""
    location = ask.location()
    ask.done(
        f"UNLOAD (SELECT 0.1e0 AS x, 1e300 AS y, BIGINT '9007199254740993' AS n, CAST(NULL AS varchar) AS z, "
        f"TIMESTAMP '2020-01-01 00:00:00' AS t, ARRAY['a'] AS l) TO '{location}' WITH (format = 'JSON')"
    )
    (key,) = ask.keys(location)
    assert key.endswith(".gz")
    text = gzip.decompress(ask.read(location, key)).decode()
    assert json.loads(text) == {
        "x": 0.1,
        "y": 1e300,
        "n": 9007199254740993,
        "z": None,
        "t": "2020-01-01 00:00:00.000",
        "l": ["a"],
    }
    assert '"x":0.1,' in text


def test_no_rows_write_no_object_and_an_empty_manifest(ask: Asker) -> None:
    """The folder stays empty, so it can be written to again."""
    location = ask.location()
    sql = f"UNLOAD (SELECT 1 AS a WHERE false) TO '{location}' WITH (format = 'PARQUET')"
    execution = ask.done(sql)
    assert ask.keys(location) == []
    assert ask.read(execution["Statistics"]["DataManifestLocation"]) == b""
    ask.done(sql)


def test_the_manifest_lists_what_was_written(ask: Asker) -> None:
    """Beside the results, one URI a line; ``rows`` are counted."""
    location = ask.location()
    execution = ask.done(f"UNLOAD (SELECT * FROM (VALUES 1, 2) AS t(n)) TO '{location}' WITH (format = 'PARQUET')")
    manifest = execution["Statistics"]["DataManifestLocation"]
    assert manifest == f"s3://{ask.environment.results_bucket}/{execution['QueryExecutionId']}-manifest.csv"
    assert ask.read(manifest).decode() == "".join(f"{location}{key}\n" for key in ask.keys(location))
    found = ask.session.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert found["UpdateCount"] == 2


def test_a_folder_that_is_not_empty_is_refused(ask: Asker) -> None:
    """Even by an object of another kind; names that only begin alike do not count."""
    location = ask.location()
    sql = f"UNLOAD (SELECT 1 AS a) TO '{location}' WITH (format = 'PARQUET')"
    ask.done(sql)
    assert ask.reason(sql).startswith("HIVE_PATH_ALREADY_EXISTS")
    # No number ends like this, so no other test is handed this folder as its own.
    ask.done(sql.replace(location, location.rstrip("/") + "_alike/"))


def test_more_than_a_hundred_partitions_are_refused(ask: Asker) -> None:
    """A hundred are written, one more is not."""
    location = ask.location()
    sql = f"UNLOAD (SELECT n, n AS p FROM UNNEST(sequence(1, {{}})) AS t(n)) TO '{location}' "
    options = "WITH (format = 'PARQUET', partitioned_by = ARRAY['p'])"
    assert ask.reason(sql.format(101) + options).startswith("HIVE_TOO_MANY_OPEN_PARTITIONS")
    ask.done(sql.format(100) + options)
    assert len(ask.keys(location)) == 100


@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        ("SELECT 1", "format = 'PARQUET'", "Column name not specified at position 1"),
        ("SELECT 1 AS a, 2 AS a", "format = 'PARQUET'", "Column name 'a' specified more than once"),
        ("SELECT NULL AS a", "format = 'PARQUET'", "Column type is unknown: a"),
        ("SELECT now() AS a", "format = 'PARQUET'", "Unsupported Hive type: timestamp(3) with time zone"),
        ("SELECT 1 AS a, 2 AS b", "format = 'PARQUET', partitioned_by = ARRAY['a']", "must be the last columns"),
        ("SELECT 1 AS a", "format = 'PARQUET', partitioned_by = ARRAY['a']", "at least one column"),
        ("SELECT 1 AS a", "format = 'ORC'", "cannot write ORC"),
        ("SELECT 1 AS a", "format = 'JSON', compression = 'ZSTD'", "cannot be compressed"),
        ("SELECT 1 AS a", "format = 'PARQUET', nonsense = 'x'", "cannot UNLOAD with nonsense"),
        ("SELECT * FROM missing", "format = 'PARQUET'", "TABLE_NOT_FOUND"),
    ],
)
def test_what_athena_refuses_is_refused_and_nothing_is_written(
    ask: Asker, query: str, options: str, reason: str
) -> None:
    """Each with Athena's reason."""
    location = ask.location()
    assert reason in ask.reason(f"UNLOAD ({query}) TO '{location}' WITH ({options})")
    assert ask.keys(location) == []


def test_a_missing_bucket_is_named(ask: Asker) -> None:
    """No bucket appears from nowhere."""
    assert "NoSuchBucket" in ask.reason("UNLOAD (SELECT 1 AS a) TO 's3://nowhere/x/' WITH (format = 'PARQUET')")


def test_parameters_and_parentheses_inside_the_query(ask: Asker) -> None:
    """The query ends at its own parenthesis."""
    location = ask.location()
    ask.done(
        f"UNLOAD (SELECT (1 + ?) AS a, ')' AS b) TO '{location}' WITH (format = 'PARQUET')",
        ExecutionParameters=["2"],
    )
    (file,) = _tables(ask, location).values()
    assert file.read().to_pylist() == [{"a": 3, "b": ")"}]

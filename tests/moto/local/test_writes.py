"""CREATE TABLE AS, INSERT INTO, and statements about the catalog."""

from __future__ import annotations

import pytest

from tests.moto.local.conftest import Asker


def test_create_table_as_registers_a_table_over_what_it_wrote(ask: Asker) -> None:
    """In the workgroup's place, with Glue's types."""
    table = ask.name()
    execution = ask.done(
        f"CREATE TABLE {table} WITH (format = 'PARQUET', write_compression = 'ZSTD') AS "
        "SELECT BIGINT '1' AS n, 'x' AS s, TIMESTAMP '2020-01-01 00:00:00' AS t, ARRAY[1.5e0] AS l"
    )
    assert execution["StatementType"] == "DDL"
    assert ask.rows(f"SELECT * FROM {table}") == [["1", "x", "2020-01-01 00:00:00.000", "[1.5]"]]
    glue = ask.session.client("glue")
    found = glue.get_table(DatabaseName=ask.environment.database, Name=table)["Table"]
    assert [each["Type"] for each in found["StorageDescriptor"]["Columns"]] == (
        ["bigint", "string", "timestamp", "array<double>"]
    )
    location = found["StorageDescriptor"]["Location"]
    assert location == f"s3://{ask.environment.results_bucket}/tables/{execution['QueryExecutionId']}/"


def test_create_table_as_with_partitions_registers_them(ask: Asker) -> None:
    """One per value."""
    table = ask.name()
    ask.done(
        f"CREATE TABLE {table} WITH (partitioned_by = ARRAY['p']) AS "
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'b')) AS t(n, p)"
    )
    assert ask.page(ask.done(f"SHOW PARTITIONS {table}")["QueryExecutionId"]) == [["p=a"], ["p=b"]]
    assert ask.rows(f"SELECT p, count(*) FROM {table} GROUP BY p ORDER BY p") == [["a", "1"], ["b", "2"]]


def test_create_table_as_is_refused_where_athena_refuses(ask: Asker) -> None:
    """A table that exists, a location in an enforced workgroup, an unnamed column."""
    table = ask.name()
    ask.done(f"CREATE TABLE {table} AS SELECT 1 AS a")
    assert ask.reason(f"CREATE TABLE {table} AS SELECT 1 AS a").startswith("TABLE_ALREADY_EXISTS")
    located = f"CREATE TABLE {ask.name()} WITH (external_location = '{ask.location()}') AS SELECT 1 AS a"
    assert "external_location" in ask.reason(located)
    assert "Column name not specified" in ask.reason(f"CREATE TABLE {ask.name()} AS SELECT 1")
    assert "cannot CREATE TABLE AS with bucket_count" in ask.reason(
        f"CREATE TABLE {ask.name()} WITH (bucket_count = 2) AS SELECT 1 AS a"
    )


def test_insert_adds_files_and_partitions(ask: Asker) -> None:
    """By position or by name; a column that is not given is NULL."""
    table, location = ask.name(), ask.location()
    ask.done(
        f"CREATE EXTERNAL TABLE {table} (n bigint, s string) PARTITIONED BY (p string) STORED AS PARQUET "
        f"LOCATION '{location}' TBLPROPERTIES ('parquet.compression' = 'ZSTD')"
    )
    ask.done(f"INSERT INTO {table} SELECT 1, 'x', 'a'")
    ask.done(f"INSERT INTO {table} (p, n) VALUES ('b', 2), ('a', 3)")
    assert ask.rows(f"SELECT n, s, p FROM {table} ORDER BY n") == [["1", "x", "a"], ["2", None, "b"], ["3", None, "a"]]
    assert "mismatched" in ask.reason(f"INSERT INTO {table} SELECT 1")


def test_a_table_by_hand(ask: Asker) -> None:
    """Create, add, show, describe, drop partitions, repair, drop: the data stays."""
    table, location = ask.name(), ask.location()
    unloaded = ask.location()
    ask.done(f"UNLOAD (SELECT BIGINT '1' AS n) TO '{unloaded}' WITH (format = 'PARQUET')")
    create = (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{table}` (`n` bigint, `r` struct<x:bigint,y:array<string>>) "
        f"PARTITIONED BY (day string, run string) STORED AS PARQUET LOCATION '{location}'"
    )
    ask.done(create)
    ask.done(create)
    add = f"ALTER TABLE {table} ADD IF NOT EXISTS PARTITION (day = '2020-01-01', run = 'r') LOCATION '{unloaded}'"
    ask.done(add)
    ask.done(add)
    assert "already exists" in ask.reason(add.replace("IF NOT EXISTS ", ""))
    assert ask.rows(f"SELECT n, r, day FROM {table}") == [["1", None, "2020-01-01"]]
    shown = ask.done(f"SHOW PARTITIONS {table}")
    assert shown["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert ask.page(shown["QueryExecutionId"]) == [["day=2020-01-01/run=r"]]
    described = ask.page(ask.done(f"DESCRIBE {table}")["QueryExecutionId"])
    assert [cell.strip() for cell in described[1] if cell] == ["r", "struct<x:bigint,y:array<string>>", ""]
    assert [table] in ask.page(ask.done("SHOW TABLES")["QueryExecutionId"])
    ask.done(f"ALTER TABLE {table} DROP PARTITION (day = '2020-01-01', run = 'r')")
    assert ask.rows(f"SELECT n FROM {table}") == []
    assert "not found" in ask.reason(f"ALTER TABLE {table} DROP PARTITION (day = '2020-01-01', run = 'r')")
    ask.done(f"UNLOAD (SELECT BIGINT '2' AS n) TO '{location}day=2020-01-02/run=s/' WITH (format = 'PARQUET')")
    ask.done(f"MSCK REPAIR TABLE {table}")
    assert ask.rows(f"SELECT n, run FROM {table}") == [["2", "s"]]
    ask.done(f"DROP TABLE {table}")
    ask.done(f"DROP TABLE IF EXISTS {table}")
    assert ask.reason(f"DROP TABLE {table}").startswith("TABLE_NOT_FOUND")
    assert len(ask.keys(location)) == 1


def test_databases(ask: Asker) -> None:
    """Created, listed, refused while they hold tables, dropped."""
    ask.done("CREATE DATABASE IF NOT EXISTS made_here")
    ask.done("CREATE DATABASE IF NOT EXISTS made_here")
    assert "already exists" in ask.reason("CREATE DATABASE made_here")
    assert ["made_here"] in ask.page(ask.done("SHOW DATABASES")["QueryExecutionId"])
    ask.done("CREATE TABLE made_here.t AS SELECT 1 AS a")
    assert ask.rows("SELECT a FROM made_here.t") == [["1"]]
    assert "not empty" in ask.reason("DROP DATABASE made_here")
    ask.done("DROP DATABASE made_here CASCADE")
    assert "made_here" in ask.reason("SELECT a FROM made_here.t")


@pytest.mark.parametrize("stored", ["ORC", "TEXTFILE"])
def test_tables_of_other_formats_are_refused(ask: Asker, stored: str) -> None:
    """By name."""
    sql = f"CREATE EXTERNAL TABLE {ask.name()} (n bigint) STORED AS {stored} LOCATION '{ask.location()}'"
    assert stored.lower() in ask.reason(sql).lower()

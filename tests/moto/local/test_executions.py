"""The life of a query execution: tokens, workgroups, limits, statistics, states and errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.moto.local.conftest import Asker


def _start(ask: Asker, sql: str, **arguments: Any) -> str:
    arguments.setdefault("WorkGroup", ask.environment.workgroup)
    started = ask.session.client("athena").start_query_execution(QueryString=sql, **arguments)
    return started["QueryExecutionId"]


def _refused(ask: Asker, sql: str, **arguments: Any) -> str:
    with pytest.raises(ClientError) as raised:
        _start(ask, sql, **arguments)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
    return str(raised.value.response["Error"]["Message"])


def test_a_token_starts_one_query(ask: Asker) -> None:
    """The same call again answers with the same execution; another query with the token is refused."""
    token = "t" * 32
    first = _start(ask, "SELECT 1", ClientRequestToken=token)
    assert _start(ask, "SELECT 1", ClientRequestToken=token) == first
    assert _refused(ask, "SELECT 2", ClientRequestToken=token) == "Idempotent parameters do not match"
    assert _start(ask, "SELECT 1") != first


def test_a_token_of_a_failed_query_answers_with_the_failure(ask: Asker) -> None:
    """A retry of the call does not run the query again."""
    token = "f" * 32
    assert _start(ask, "SELECT nope", ClientRequestToken=token) == _start(ask, "SELECT nope", ClientRequestToken=token)


def test_an_execution_is_described(ask: Asker) -> None:
    """What GetQueryExecution says of a success."""
    execution = ask.done("SELECT 1 AS a")
    status, statistics = execution["Status"], execution["Statistics"]
    assert status["SubmissionDateTime"] <= status["CompletionDateTime"]
    assert "StateChangeReason" not in status
    assert statistics["EngineExecutionTimeInMillis"] >= 1
    assert statistics["DataScannedInBytes"] == 0
    assert execution["Query"] == "SELECT 1 AS a"
    assert execution["WorkGroup"] == ask.environment.workgroup
    assert execution["QueryExecutionContext"]["Database"] == ask.environment.database
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")


def test_a_failure_is_described(ask: Asker) -> None:
    """State, reason and AthenaError; results are refused."""
    execution = ask.run("SELECT * FROM missing")
    status = execution["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("TABLE_NOT_FOUND")
    assert status["AthenaError"]["ErrorCategory"] == 2
    assert status["AthenaError"]["Retryable"] is False
    with pytest.raises(ClientError, match="FAILED"):
        ask.page(execution["QueryExecutionId"])


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT FROM WHERE", "SELECT 1; SELECT 2", "UNLOAD SELECT 1", "  "])
def test_what_is_no_sql_is_refused_at_once(ask: Asker, sql: str) -> None:
    """Nothing is started."""
    assert _refused(ask, sql)


@pytest.mark.parametrize("sql", ["DELETE FROM t", "VACUUM t", "CREATE VIEW v AS SELECT 1", "PREPARE p FROM SELECT 1"])
def test_statements_it_cannot_run_fail_by_name(ask: Asker, sql: str) -> None:
    """Never an invented success."""
    assert ask.reason(sql).startswith("NOT_SUPPORTED: the local cloud's Athena cannot")


def test_sql_has_a_longest_length(ask: Asker) -> None:
    """262,144 bytes pass and one more does not; bytes, not characters."""
    filler = "/*" + "é" * 131_000 + "*/"
    base = f"SELECT 1 AS a {filler}"
    sql = base + " " * (262_144 - len(base.encode()))
    assert ask.rows(sql) == [["1"]]
    assert "262144" in _refused(ask, sql + " ")


def test_an_unknown_workgroup_is_refused(ask: Asker) -> None:
    """By name."""
    assert _refused(ask, "SELECT 1", WorkGroup="nope") == "WorkGroup nope is not found."


def test_an_enforced_workgroup_decides_where_results_go(ask: Asker) -> None:
    """The caller's location is passed over, as Athena does."""
    execution = ask.done("SELECT 1", ResultConfiguration={"OutputLocation": "s3://elsewhere/"})
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert output.startswith(f"s3://{ask.environment.results_bucket}/")


def test_the_primary_workgroup_needs_a_location(ask: Asker) -> None:
    """It has none of its own."""
    assert "No output location" in _refused(ask, "SELECT 1", WorkGroup="primary")
    location = ask.location()
    execution = ask.done("SELECT 1", WorkGroup="primary", ResultConfiguration={"OutputLocation": location})
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(location)


def test_a_query_above_the_cutoff_is_cancelled(ask: Asker) -> None:
    """The workgroup's limit of scanned bytes holds before anything is written."""
    table, location = ask.name(), ask.location()
    ask.done(f"CREATE TABLE {table} AS SELECT rand() AS n FROM UNNEST(sequence(1, 1500000)) AS t(n)")
    athena = ask.session.client("athena")
    athena.create_work_group(
        Name="thrifty",
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://{ask.environment.results_bucket}/"},
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
    )
    execution = ask.run(
        f"UNLOAD (SELECT n FROM {table}) TO '{location}' WITH (format = 'PARQUET')", WorkGroup="thrifty"
    )
    assert execution["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in execution["Status"]["StateChangeReason"]
    assert ask.keys(location) == []


def test_executions_are_found_listed_and_unknown_ones_named(ask: Asker) -> None:
    """BatchGetQueryExecution, ListQueryExecutions, StopQueryExecution."""
    athena = ask.session.client("athena")
    first, second = _start(ask, "SELECT 1"), _start(ask, "SELECT 2")
    found = athena.batch_get_query_execution(QueryExecutionIds=[first, "nope", second])
    assert [each["QueryExecutionId"] for each in found["QueryExecutions"]] == [first, second]
    assert [each["QueryExecutionId"] for each in found["UnprocessedQueryExecutionIds"]] == ["nope"]
    listed = athena.list_query_executions(WorkGroup=ask.environment.workgroup, MaxResults=2)
    assert listed["QueryExecutionIds"] == [second, first]
    athena.stop_query_execution(QueryExecutionId=first)
    assert athena.get_query_execution(QueryExecutionId=first)["QueryExecution"]["Status"]["State"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId="nope")


def test_queries_run_side_by_side(ask: Asker) -> None:
    """Threads share the engine; each query has its own tables and result."""
    table = ask.name()
    ask.done(f"CREATE TABLE {table} AS SELECT n FROM UNNEST(sequence(1, 1000)) AS t(n)")
    with ThreadPoolExecutor(6) as pool:
        sums = list(pool.map(lambda k: ask.rows(f"SELECT sum(n) + {k} FROM {table}"), range(24)))
    assert sums == [[[str(500_500 + k)]] for k in range(24)]

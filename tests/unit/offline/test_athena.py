"""Athena's client side: idempotent starts, polling, throttling, deadlines, tags, typed results. No sleeps, no AWS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from asof.clock import ManualClock
from asof.errors import QueryError, RequestError
from asof.names import Environment
from asof.offline.athena import MAX_SQL_BYTES, Athena, tagged, unload_sql

ENVIRONMENT = Environment("test", "123456789012", "eu-west-1")


def throttled(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, operation)


class StubAthena:
    """Answers from scripts: each entry of ``states`` is a state, or an exception to raise instead."""

    def __init__(self, states: Sequence[str | Exception], starts: Sequence[Exception] = ()) -> None:
        self.states = list(states)
        self.start_errors = list(starts)
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.pages: list[dict[str, Any]] = []

    def start_query_execution(self, **arguments: Any) -> dict[str, Any]:
        """Note the start; fail as scripted."""
        self.started.append(arguments)
        if self.start_errors:
            raise self.start_errors.pop(0)
        return {"QueryExecutionId": "q-1"}

    def get_query_execution(self, **_arguments: Any) -> dict[str, Any]:
        """The next scripted state."""
        state = self.states.pop(0)
        if isinstance(state, BaseException):
            raise state
        statistics = {"DataScannedInBytes": 1234, "EngineExecutionTimeInMillis": 56, "QueryQueueTimeInMillis": 7}
        status = {"State": state, "StateChangeReason": "SYNTAX_ERROR: line 1:8"}
        return {"QueryExecution": {"Status": status, "Statistics": statistics}}

    def stop_query_execution(self, **arguments: Any) -> dict[str, Any]:
        """Note the stop."""
        self.stopped.append(arguments["QueryExecutionId"])
        return {}

    def get_query_results(self, **arguments: Any) -> dict[str, Any]:
        """The page a token names."""
        return self.pages[int(arguments.get("NextToken", 0))]


def make(client: StubAthena, sleep: Callable[[float], None] | None = None) -> tuple[Athena, list[float], ManualClock]:
    """An Athena whose sleeps are noted and move a manual clock."""
    clock = ManualClock(0)
    pauses: list[float] = []

    def note(seconds: float) -> None:
        pauses.append(seconds)
        clock.set(clock.now_ms() + round(seconds * 1000))

    return Athena(client, ENVIRONMENT, clock=clock, sleep=sleep or note, jitter=lambda: 0.5), pauses, clock


def test_a_statement_runs_in_the_environments_workgroup_and_database() -> None:
    client = StubAthena(["QUEUED", "RUNNING", "SUCCEEDED"])
    athena, pauses, _ = make(client)
    result = athena.run("SELECT 1", "test")
    assert (result.query_id, result.scanned_bytes, result.engine_ms) == ("q-1", 1234, 56)
    assert result.statistics["QueryQueueTimeInMillis"] == 7
    assert client.started[0]["WorkGroup"] == "asof-test"
    assert client.started[0]["QueryExecutionContext"] == {"Database": "asof_test"}
    assert len(pauses) == 2
    assert pauses[1] > pauses[0]


def test_polling_slows_down_to_a_limit() -> None:
    client = StubAthena(["RUNNING"] * 20 + ["SUCCEEDED"])
    athena, pauses, _ = make(client)
    athena.run("SELECT 1", "test")
    assert max(pauses) == pauses[-1] <= 3.0


def test_the_same_token_gives_the_same_request_token_of_a_length_athena_takes() -> None:
    client = StubAthena(["SUCCEEDED"] * 4)
    athena, _, _ = make(client)
    for token in ("a", "a", "b" * 500, None):
        athena.run("SELECT 1", "test", token=token)
    sent = [each["ClientRequestToken"] for each in client.started]
    assert sent[0] == sent[1]
    assert len(set(sent)) == 3
    assert all(32 <= len(token) <= 128 for token in sent)


def test_a_throttled_start_is_repeated_with_the_same_token_after_a_growing_pause() -> None:
    client = StubAthena(["SUCCEEDED"], starts=[throttled("StartQueryExecution")] * 3)
    athena, pauses, _ = make(client)
    athena.run("SELECT 1", "test")
    assert len({each["ClientRequestToken"] for each in client.started}) == 1
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_throttled_polls_do_not_lose_the_query() -> None:
    client = StubAthena([throttled("GetQueryExecution"), "RUNNING", throttled("GetQueryExecution"), "SUCCEEDED"])
    athena, _, _ = make(client)
    assert athena.run("SELECT 1", "test").query_id == "q-1"
    assert len(client.started) == 1


def test_throttling_that_does_not_end_is_an_error_that_says_how_often_was_tried() -> None:
    client = StubAthena([], starts=[throttled("StartQueryExecution")] * 50)
    athena, _, _ = make(client)
    with pytest.raises(QueryError, match=r"refused start_query_execution after 8 attempts.*Rate exceeded"):
        athena.run("SELECT 1", "test")
    assert len(client.started) == 8


def test_another_refusal_is_not_repeated() -> None:
    refusal = ClientError({"Error": {"Code": "InvalidRequestException", "Message": "no workgroup"}}, "Start")
    client = StubAthena([], starts=[refusal])
    athena, pauses, _ = make(client)
    with pytest.raises(QueryError, match="no workgroup"):
        athena.run("SELECT 1", "test")
    assert pauses == []


def test_an_unreachable_endpoint_is_a_query_error() -> None:
    client = StubAthena([], starts=[EndpointConnectionError(endpoint_url="https://athena.example")])
    athena, _, _ = make(client)
    with pytest.raises(QueryError, match="cannot be reached"):
        athena.run("SELECT 1", "test")


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failure_carries_athenas_reason_the_query_id_and_the_statement(state: str) -> None:
    athena, _, _ = make(StubAthena(["RUNNING", state]))
    with pytest.raises(QueryError, match=r"SYNTAX_ERROR: line 1:8.*q-1") as caught:
        athena.run("SELEC 1", "test")
    assert caught.value.query_id == "q-1"
    assert "SELEC 1" in str(caught.value.sql)


def test_at_the_deadline_the_query_is_stopped() -> None:
    client = StubAthena(["RUNNING"] * 100)
    athena, _, clock = make(client)
    with pytest.raises(QueryError, match="at its deadline the query was still running and was stopped"):
        athena.run("SELECT 1", "test", deadline_ms=2_000)
    assert client.stopped == ["q-1"]
    assert 2_000 <= clock.now_ms() < 5_000


def test_an_interrupt_stops_the_query_and_stays_an_interrupt() -> None:
    client = StubAthena(["RUNNING", "RUNNING"])

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    athena, _, _ = make(client, interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        athena.run("SELECT 1", "test")
    assert client.stopped == ["q-1"]
    assert caught.value.__notes__ == ["query q-1 was stopped"]


def test_a_statement_that_is_too_long_is_refused_before_it_is_sent() -> None:
    client = StubAthena([])
    athena, _, _ = make(client)
    with pytest.raises(QueryError, match=r"262,144; nothing was sent"):
        athena.run("SELECT '" + "ü" * (MAX_SQL_BYTES // 2) + "'", "test")
    assert client.started == []


def test_a_tag_says_view_and_purpose_and_cannot_be_broken_out_of() -> None:
    assert tagged("SELECT 1", "compute", "planes@v1") == "-- asof: view=planes@v1 purpose=compute\nSELECT 1"
    text = tagged("SELECT 1", "x\nDROP TABLE t; */", "v\r\n\u2028--")
    assert text.splitlines()[1:] == ["SELECT 1"]
    assert "DROP TABLE" not in text


def test_unload_writes_parquet_with_partitions_and_escapes_its_place() -> None:
    sql = unload_sql("SELECT 1 AS a, 'x' AS d", "s3://b/it's/", partitioned_by=("d",))
    assert sql == (
        "UNLOAD (\nSELECT 1 AS a, 'x' AS d\n)\nTO 's3://b/it''s/'\n"
        "WITH (format = 'PARQUET', compression = 'ZSTD', partitioned_by = ARRAY['d'])"
    )
    for place in ("b/prefix/", "s3://b/prefix"):
        with pytest.raises(RequestError, match="not a place to unload to"):
            unload_sql("SELECT 1", place)


COLUMNS = {
    "n": "bigint",
    "x": "double",
    "ok": "boolean",
    "at": "timestamp",
    "day": "date",
    "price": "decimal",
    "word": "varchar",
    "list": "array",
}


def page(*rows: Sequence[str | None]) -> dict[str, Any]:
    """One answer of GetQueryResults over COLUMNS."""
    columns = [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()]
    cells = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
    return {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": columns}, "Rows": cells}}


def test_results_are_typed_and_follow_the_pages() -> None:
    client = StubAthena(["SUCCEEDED"])
    first = ["-7", "NaN", "false", "2013-01-01 05:15:00.123", "2013-01-01", "1.10", "", "[1, 2]"]
    client.pages = [page(list(COLUMNS), list(first)) | {"NextToken": "1"}, page([None] * len(COLUMNS))]
    athena, _, _ = make(client)
    one, two = athena.rows("SELECT ...", "test")
    assert math.isnan(float(str(one.pop("x"))))
    assert one == {
        "n": -7,
        "ok": False,
        "at": datetime(2013, 1, 1, 5, 15, 0, 123_000, tzinfo=timezone.utc),
        "day": date(2013, 1, 1),
        "price": Decimal("1.10"),
        "word": "",
        "list": "[1, 2]",
    }
    assert two == dict.fromkeys(COLUMNS)


@pytest.mark.parametrize("rows", [0, 2])
def test_fetch_one_wants_exactly_one_row(rows: int) -> None:
    client = StubAthena(["SUCCEEDED"])
    client.pages = [page(list(COLUMNS), *[[None] * len(COLUMNS)] * rows)]
    athena, _, _ = make(client)
    with pytest.raises(QueryError, match=f"gave {rows} rows"):
        athena.fetch_one("SELECT ...", "test")

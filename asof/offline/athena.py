"""One Athena statement after another: started idempotently, polled, stopped when given up, accounted for."""

from __future__ import annotations

import hashlib
import random
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.clock import Clock, SystemClock
from asof.errors import QueryError, RequestError
from asof.names import Environment
from asof.offline.athena_rows import Row, parse_rows
from asof.sql.binding import literal

MAX_SQL_BYTES: Final = 262_144
"""Athena's limit for the text of one statement."""

_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "InternalServerException"}
)
_ATTEMPTS: Final = 8
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 3.0
_UNSAFE_IN_TAG = re.compile(r"[^A-Za-z0-9_@.:/-]")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A statement that succeeded: its id, bytes read from S3, milliseconds in the engine, Athena's own statistics."""

    query_id: str
    scanned_bytes: int
    engine_ms: int
    statistics: Mapping[str, Any] = field(default_factory=dict)


def tagged(sql: str, purpose: str, view: str | None = None) -> str:
    """The statement behind a one-line comment that says for which view and purpose it runs.

    A line comment is read alike by Athena's query and DDL parsers; characters that could end it are replaced.
    """
    about = f"view={_UNSAFE_IN_TAG.sub('_', view)} " if view else ""
    return f"-- asof: {about}purpose={_UNSAFE_IN_TAG.sub('_', purpose)}\n{sql}"


def request_token(token: str | None) -> str:
    """A ClientRequestToken (32 to 128 characters): of the caller's token always the same one, else a random one."""
    return hashlib.sha256(token.encode()).hexdigest() if token is not None else uuid.uuid4().hex


def unload_sql(
    select_sql: str,
    s3_uri: str,
    *,
    file_format: str = "PARQUET",
    compression: str = "ZSTD",
    partitioned_by: Sequence[str] = (),
) -> str:
    """The UNLOAD statement that writes a query's rows under ``s3_uri``; partition columns must be its last ones."""
    if not s3_uri.startswith("s3://") or not s3_uri.endswith("/"):
        raise RequestError(f"{s3_uri!r} is not a place to unload to; write 's3://bucket/prefix/' with a final '/'")
    options = [f"format = {literal(file_format)}", f"compression = {literal(compression)}"]
    if partitioned_by:
        options.append(f"partitioned_by = ARRAY[{', '.join(literal(column) for column in partitioned_by)}]")
    return f"UNLOAD (\n{select_sql}\n)\nTO {literal(s3_uri)}\nWITH ({', '.join(options)})"


class Athena:
    """Runs statements in an environment's workgroup and database.

    ``client`` is a boto3 Athena client. ``sleep`` takes seconds, ``jitter`` gives numbers in [0, 1).
    """

    def __init__(
        self,
        client: Any,
        environment: Environment,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._environment = environment
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._jitter = jitter

    def run(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> QueryResult:
        """Run one statement to its end.

        ``token`` makes the start idempotent: the same token and text give the same execution, even one that failed,
        so a new attempt needs a new token. ``deadline_ms`` is an instant of the clock; the statement is stopped there,
        and also when the caller is interrupted. Raises QueryError with Athena's reason and the query's id.
        """
        text = tagged(sql, purpose, view)
        size = len(text.encode())
        if size > MAX_SQL_BYTES:
            raise QueryError(
                f"the statement for {purpose} is {size:,} bytes of SQL and Athena takes {MAX_SQL_BYTES:,}; "
                f"nothing was sent: ask for fewer features at once, or split the view",
                sql=text,
            )
        started = self._call(
            "start_query_execution",
            text,
            QueryString=text,
            ClientRequestToken=request_token(token),
            QueryExecutionContext={"Database": self._environment.database},
            WorkGroup=self._environment.workgroup,
        )
        query_id = str(started["QueryExecutionId"])
        try:
            return self._wait(query_id, text, deadline_ms)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"query {query_id} {self._stop(query_id)}")
            raise

    def rows(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> list[Row]:
        """The typed rows of a SELECT, as dictionaries; for small results, since they come page by page as text."""
        result = self.run(sql, purpose, view=view, token=token, deadline_ms=deadline_ms)
        return self.results(result.query_id)

    def fetch_one(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> Row:
        """The one row of a SELECT that gives exactly one; raises QueryError where it gives another number."""
        rows = self.rows(sql, purpose, view=view, token=token, deadline_ms=deadline_ms)
        if len(rows) != 1:
            raise QueryError(f"the query for {purpose} gave {len(rows)} rows where one was expected", sql=sql)
        return rows[0]

    def unload(
        self,
        select_sql: str,
        s3_uri: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
        file_format: str = "PARQUET",
        compression: str = "ZSTD",
        partitioned_by: Sequence[str] = (),
    ) -> QueryResult:
        """Write a query's rows to S3, to a prefix (ending in ``/``) that must be empty: UNLOAD never replaces."""
        sql = unload_sql(
            select_sql, s3_uri, file_format=file_format, compression=compression, partitioned_by=partitioned_by
        )
        return self.run(sql, purpose, view=view, token=token, deadline_ms=deadline_ms)

    def columns(self, query_id: str) -> dict[str, str]:
        """The columns of a SELECT that has succeeded, with their types by Athena's names, such as ``varchar``."""
        answer = self._call("get_query_results", None, QueryExecutionId=query_id, MaxResults=1)
        described = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        return {str(column["Name"]): str(column["Type"]) for column in described}

    def results(self, query_id: str) -> list[Row]:
        """The typed rows of a SELECT that has succeeded."""
        pages: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self._call("get_query_results", None, QueryExecutionId=query_id, **more)
            pages.append(page["ResultSet"])
            if not page.get("NextToken"):
                return parse_rows(pages)
            more = {"NextToken": page["NextToken"]}

    def _wait(self, query_id: str, sql: str, deadline_ms: int | None) -> QueryResult:
        """Poll until the statement ends, ever more slowly; stop it at the deadline."""
        pause = _FIRST_PAUSE_S
        while True:
            execution = self._call("get_query_execution", sql, QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                statistics = execution.get("Statistics", {})
                return QueryResult(
                    query_id,
                    int(statistics.get("DataScannedInBytes", 0)),
                    int(statistics.get("EngineExecutionTimeInMillis", 0)),
                    statistics,
                )
            if state in ("FAILED", "CANCELLED"):
                reason = execution["Status"].get("StateChangeReason", "no reason was given")
                raise QueryError(f"Athena says {state.lower()}: {reason}", query_id=query_id, sql=sql)
            if deadline_ms is not None and self._clock.now_ms() >= deadline_ms:
                message = f"at its deadline the query was still {state.lower()} and {self._stop(query_id)}"
                raise QueryError(message, query_id=query_id, sql=sql)
            self._sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def _stop(self, query_id: str) -> str:
        """Ask Athena to stop a statement; says how that went, for the message of whatever made it necessary."""
        try:
            self._call("stop_query_execution", None, QueryExecutionId=query_id)
        except QueryError as error:
            return f"could not be stopped: {error}"
        return "was stopped"

    def _call(self, operation: str, sql: str | None, **arguments: Any) -> dict[str, Any]:
        """One API call; throttled ones are repeated after a random pause that grows (full jitter)."""
        query_id = arguments.get("QueryExecutionId")
        attempt = 1
        while True:
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code not in _THROTTLED or attempt == _ATTEMPTS:
                    tried = f" after {attempt} attempts" if attempt > 1 else ""
                    message = f"Athena refused {operation}{tried}: {error}"
                    raise QueryError(message, query_id=query_id, sql=sql) from error
            except BotoCoreError as error:
                message = f"Athena cannot be reached for {operation}: {error}"
                raise QueryError(message, query_id=query_id, sql=sql) from error
            else:
                return answer
            self._sleep(self._jitter() * min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
            attempt += 1

"""Athena's API over the engine: executions, idempotency tokens, workgroups, results. Requests arrive elsewhere."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Final

from asof.clock import Clock
from asof.local.athena.engine import Engine
from asof.local.athena.errors import InvalidRequestError, QueryFailedError
from asof.local.athena.execute import execute
from asof.local.athena.model import FINAL_STATES, Context, Execution, QueryRequest
from asof.local.athena.objects import folder, split_uri
from asof.local.athena.parse import parse
from asof.local.athena.results import parse_csv, result_set
from asof.local.athena.statements import Statement

SQL_LIMIT: Final = 262_144
"""Bytes of SQL a query may have."""

PATIENCE_SECONDS: Final = 20.0
"""How long a call waits for the query it started: most end sooner, and clients then need not poll."""


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """What a workgroup decides: where results go, whether a query may choose otherwise, and how much it may scan."""

    name: str
    output_location: str | None
    enforced: bool
    cutoff: int | None
    enabled: bool = True


QueryHook = Callable[[QueryRequest, Callable[[], None]], None]
"""Called around each accepted query with the request and what runs it; may raise QueryFailedError before or after."""


class AthenaService:
    """One account's and region's Athena. ``workgroup`` finds a workgroup by name, or None."""

    def __init__(self, engine: Engine, workgroup: Callable[[str], WorkGroup | None], clock: Clock) -> None:
        self._engine = engine
        self._workgroup = workgroup
        self._clock = clock
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[str, Execution] = {}
        self._at_work: set[Future[None]] = set()
        self.hook: QueryHook = lambda _, run: run()

    def kept(self) -> tuple[dict[str, Execution], dict[str, Execution]]:
        """The executions, by id and by token, to be kept."""
        return self._executions, self._tokens

    def restore(self, kept: tuple[dict[str, Execution], dict[str, Execution]]) -> None:
        """Take the executions that were kept."""
        self._executions, self._tokens = kept

    def close(self) -> None:
        """Release the engine."""
        self._engine.close()

    def start(self, request: QueryRequest) -> str:
        """Accept a query and begin it; returns its id, where it can once the query has ended.

        A query that takes longer than PATIENCE_SECONDS goes on alone. A token that was used answers with the query it
        started.

        Raises InvalidRequestError where Athena refuses the call: a token used for something else, an unknown
        workgroup, no place for results, SQL that is too long or does not parse.
        """
        with self._lock:
            if request.token is not None and request.token in self._tokens:
                earlier = self._tokens[request.token]
                if earlier.request != request:
                    raise InvalidRequestError("Idempotent parameters do not match", code="INVALID_INPUT")
                return earlier.id
            group = self._group(request.workgroup)
            results = self._results(group, request)
            statement = self._parse(request)
            execution = Execution(str(uuid.uuid4()), request, self._clock.now_ms())
            self._executions[execution.id] = execution
            if request.token is not None:
                self._tokens[request.token] = execution
        context = Context(execution.id, request.database.lower(), results, group.enforced, group.cutoff)
        self._begin(execution, statement, context)
        return execution.id

    def _begin(self, execution: Execution, statement: Statement | QueryFailedError, context: Context) -> None:
        """Run the query in a thread of its own; raises what went wrong with the local cloud itself, if it did soon."""
        ended: Future[None] = Future()

        def work() -> None:
            try:
                self._run(execution, statement, context)
            except BaseException as error:  # noqa: BLE001 # handed on to whoever waits
                ended.set_exception(error)
            else:
                ended.set_result(None)

        self._at_work.add(ended)
        ended.add_done_callback(self._at_work.discard)
        threading.Thread(target=work, daemon=True, name="asof-query").start()
        if wait([ended], PATIENCE_SECONDS).done:
            ended.result()

    def resting(self) -> bool:
        """Whether no query is at work."""
        return not self._at_work

    def _group(self, name: str) -> WorkGroup:
        group = self._workgroup(name)
        if group is None:
            raise InvalidRequestError(f"WorkGroup {name} is not found.", code="WORKGROUP_NOT_FOUND")
        if not group.enabled:
            raise InvalidRequestError(f"WorkGroup {name} is disabled.", code="WORKGROUP_DISABLED")
        return group

    def _results(self, group: WorkGroup, request: QueryRequest) -> str:
        location = group.output_location if group.enforced else request.output_location or group.output_location
        if not location:
            raise InvalidRequestError(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        return folder(location)

    def _parse(self, request: QueryRequest) -> Statement | QueryFailedError:
        if len(request.sql.encode()) > SQL_LIMIT:
            raise InvalidRequestError(
                "1 validation error detected: Value at 'queryString' failed to satisfy constraint: Member must have "
                f"length less than or equal to {SQL_LIMIT}"
            )
        try:
            return parse(request.sql, request.parameters)
        except QueryFailedError as error:
            return error

    def _run(self, execution: Execution, statement: Statement | QueryFailedError, context: Context) -> None:
        execution.state = "RUNNING"
        execution.output_location = f"{context.results}{context.query_id}.csv"

        def run() -> None:
            if isinstance(statement, QueryFailedError):
                raise statement
            execution.outcome = execute(self._engine, statement, context)
            execution.output_location = execution.outcome.output

        try:
            self.hook(execution.request, run)
            self._end(execution, "SUCCEEDED")
        except QueryFailedError as error:
            self._end(execution, error.state, error)
        finally:
            self._end(execution, "FAILED")

    def _end(self, execution: Execution, state: str, error: QueryFailedError | None = None) -> None:
        """Put an execution into its final state; one that was cancelled meanwhile stays so."""
        with self._lock:
            if execution.state in FINAL_STATES:
                return
            if error is not None:
                execution.reason = error.reason
                execution.error = {
                    "ErrorCategory": error.category,
                    "ErrorType": 100 if error.category == 1 else 1001,
                    "Retryable": error.retryable,
                    "ErrorMessage": error.reason,
                }
            execution.completed_ms = self._clock.now_ms()
            # Last: whoever sees it looks at the rest.
            execution.state = state

    def get(self, execution_id: str) -> Execution:
        """The execution; raises InvalidRequestError where there is none."""
        if execution_id not in self._executions:
            raise InvalidRequestError(f"QueryExecution {execution_id} was not found", code="INVALID_INPUT")
        return self._executions[execution_id]

    def in_workgroup(self, workgroup: str) -> list[str]:
        """Ids of a workgroup's executions, the latest first."""
        return [each.id for each in reversed(self._executions.values()) if each.request.workgroup == workgroup]

    def stop(self, execution_id: str) -> None:
        """Cancel an execution; one that has ended stays as it is."""
        self._end(self.get(execution_id), "CANCELLED")

    def results(self, execution_id: str, start: int, limit: int) -> tuple[Mapping[str, Any], int | None]:
        """One page of an execution's result and where the next begins. Row 0 of a query's result is its header.

        Raises InvalidRequestError where the execution has not succeeded or its result object is gone.
        """
        execution = self.get(execution_id)
        outcome = execution.outcome
        if execution.state != "SUCCEEDED":
            raise InvalidRequestError(
                f"Query has not yet finished. Current state: {execution.state}"
                if execution.state not in FINAL_STATES
                else f"Query did not finish successfully. Final query state: {execution.state}",
                code="INVALID_QUERY_EXECUTION_STATE",
            )
        rows: list[list[str | None]] = []
        if outcome.output is not None and outcome.output.endswith((".csv", ".txt")):
            rows = self._rows(outcome.output)
        page = rows[start : start + limit]
        following = start + limit if start + limit < len(rows) else None
        return result_set(outcome.columns, page, outcome.update_count), following

    def _rows(self, output: str) -> list[list[str | None]]:
        try:
            text = self._engine.objects.read(*split_uri(output)).decode()
        except QueryFailedError as error:
            raise InvalidRequestError(f"Could not find results: {error.reason}") from error
        if output.endswith(".csv"):
            return parse_csv(text)
        return [list(line.split("\t")) for line in text.splitlines()]

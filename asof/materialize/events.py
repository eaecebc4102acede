"""The stages of a run as a state machine sees them: from its events to leases, progress and queries, and back.

A state machine carries no objects, only JSON; everything that matters is in the ledger, and a state names it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from asof.clock import duration_ms, to_ms
from asof.deployed import bundled_environment, bundled_manifest
from asof.errors import MaterializationError, RequestError
from asof.manifest import FeatureView
from asof.materialize.chunk import Progress
from asof.materialize.lease import Lease
from asof.materialize.ledger import ChunkRecord, RunRecord
from asof.materialize.lifecycle import RunRequest, reader_of
from asof.materialize.plan import CHUNK_MS
from asof.materialize.services import Services
from asof.materialize.stages import MOST_SQL_BYTES
from asof.offline.athena import QueryResult, request_token, tagged
from asof.offline.queries import Query
from asof.references import find_feature_view

Event = Mapping[str, Any]

HOLD_MS: Final = 45 * 60_000
"""How long a state machine's lease holds without renewal: longer than the 30 minutes Athena gives a query."""

MOST_TRIES: Final = 3
"""How often a query that failed is run again, each time as a new attempt."""


@functools.cache
def connected() -> Services:
    """The services of the environment this function is deployed in; made once per process."""
    import boto3

    folder = Path(os.environ.get("LAMBDA_TASK_ROOT", "."))
    return Services.connect(bundled_environment(os.environ), bundled_manifest(folder), boto3.Session())


@dataclass(frozen=True, slots=True)
class StageEvent:
    """What every stage after the first is told: the view, the lease its run holds, and what else its event says."""

    services: Services
    view: FeatureView
    lease: Lease

    @classmethod
    def of(cls, services: Services, event: Event) -> StageEvent:
        """The stage an event describes: ``{"view": "v@v1", "lease": {"owner", "token"}, ...}``."""
        view = find_feature_view(services.manifest, event["view"])
        return cls(services, view, lease_from(services, view, event["lease"]))

    def run(self, run_id: str) -> RunRecord:
        """The run the event names; raises MaterializationError where the ledger does not have it."""
        record = reader_of(self.services).run(self.view.reference, run_id)
        if record is None:
            raise MaterializationError(f"{self.view.reference}: the ledger has no run {run_id!r}")
        return record

    def committed(self, record: RunRecord) -> list[ChunkRecord]:
        """The records of all chunks of a run; raises MaterializationError where one is not committed."""
        found = reader_of(self.services).chunks(self.view.reference, record.run.run_id)
        missing = [
            chunk.index
            for chunk in record.run.chunks
            if chunk.index not in found or not found[chunk.index].reached("committed")
        ]
        if missing:
            raise MaterializationError(
                f"{self.view.reference}: run {record.run.run_id} cannot go on, chunks {missing} are not committed; "
                f"start it again"
            )
        return [found[chunk.index] for chunk in record.run.chunks]


def asked_of(event: Event) -> dict[str, Any]:
    """What was asked of the state machine, out of its input; raises RequestError where no view is named."""
    if not isinstance(event.get("view"), str):
        raise RequestError('the input names no view; write {"view": "name", "kind": "incremental"}')
    return {name: event[name] for name in ("view", "kind", "start", "end", "chunk") if name in event}


def lease_from(services: Services, view: FeatureView, held: Event) -> Lease:
    """The lease that another function of the same execution acquired."""
    table = services.environment.control_table
    return Lease(services.dynamodb, table, view.reference, held["owner"], int(held["token"]), services.clock, HOLD_MS)


def lease_to(lease: Lease) -> dict[str, Any]:
    """A lease as the next state gets it."""
    return {"owner": lease.owner, "token": lease.token}


def request_from(event: Event) -> RunRequest:
    """What is asked of a view: ``kind``, ``start``, ``end`` (ISO instants), ``chunk`` (such as ``31d``).

    Raises RequestError for another kind and for text that is no instant or duration.
    """
    kind = event.get("kind", "incremental")
    if kind not in ("incremental", "materialize", "backfill"):
        raise RequestError(f"kind={kind!r} is not one of incremental, materialize, backfill")
    chunk = event.get("chunk")
    return RunRequest(
        kind=kind,
        start_ms=_instant(event.get("start"), "start"),
        end_ms=_instant(event.get("end"), "end"),
        chunk_ms=duration_ms(chunk, "chunk") if chunk else CHUNK_MS,
    )


def _instant(text: str | None, name: str) -> int | None:
    """Milliseconds of an ISO instant; one without a zone is UTC, as on the command line."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestError(f"{name}={text!r} is not an instant; write 2026-01-31 or 2026-01-31T12:00:00Z") from error
    return to_ms(value if value.tzinfo else value.replace(tzinfo=timezone.utc), name)


def query_to(query: Query | None, view: FeatureView) -> dict[str, Any] | None:
    """A query as Athena's task takes it; raises RequestError where its text does not fit into a state."""
    if query is None:
        return None
    sql = tagged(query.sql, query.purpose, view.reference)
    if len(sql.encode()) > MOST_SQL_BYTES:
        raise RequestError(
            f"the {query.purpose} query of {view.reference} is {len(sql.encode()):,} bytes of SQL and a state machine "
            f"can carry {MOST_SQL_BYTES:,}; split the view"
        )
    return {"purpose": query.purpose, "sql": sql, "token": request_token(query.token)}


def result_from(event: Event) -> QueryResult | None:
    """The result of the query the state machine has just run; None where it ran none."""
    found = event.get("result")
    if not found:
        return None
    statistics = found.get("statistics") or {}
    return QueryResult(
        found["query_id"],
        int(statistics.get("DataScannedInBytes", 0)),
        int(statistics.get("EngineExecutionTimeInMillis", 0)),
        statistics,
    )


def written_by(event: Event, view: FeatureView) -> int:
    """How many items the load of a run has written.

    Raises MaterializationError, with the first reason, where an object could not be loaded.
    """
    loads = event.get("loads", {})
    failures = [error_text(each) for each in loads.get("failures", ()) if each]
    if failures:
        raise MaterializationError(
            f"{view.reference}: {len(failures)} of {len(loads['failures'])} objects could not be written to the online "
            f"store, and the run is not published: {failures[0]}"
        )
    return sum(loads.get("written", ()))


def error_text(error: Event) -> str:
    """The error a state machine caught, in words: a function's error comes as JSON in ``Cause``."""
    cause = str(error.get("Cause", ""))
    with contextlib.suppress(ValueError, KeyError, TypeError):  # not a function's error: the text is all there is
        cause = str(json.loads(cause)["errorMessage"])
    return f"{error.get('Error', 'Error')}: {cause}"[:8_000]


def progress_from(found: Event) -> Progress:
    """Progress as the state before has left it."""
    return Progress(found["step"], ChunkRecord(**found["record"]))


def progress_to(progress: Progress) -> dict[str, Any]:
    """Progress as the next state gets it."""
    return dataclasses.asdict(progress)


def try_again(view: FeatureView, failure: Event, tries: int) -> None:
    """Return where a query that failed is worth another attempt; else raise MaterializationError with Athena's reason.

    ``failure`` is what a state machine catches: ``Error``, and in ``Cause`` the query's execution as JSON.
    """
    query, reason, lasting = _athena_reason(failure)
    if lasting or tries >= MOST_TRIES:
        advice = "mend what it complains of" if lasting else "if it is Athena's, it passes"
        raise MaterializationError(
            f"{view.reference}: {query} failed, attempt {tries} of {MOST_TRIES}: {reason} ({advice}; then run the view "
            f"again, and what is done already is kept)"
        )


def _athena_reason(failure: Event) -> tuple[str, str, bool]:
    """Which query failed, why on one line, and whether Athena says that it will fail again."""
    cause = str(failure.get("Cause", ""))
    try:
        told = json.loads(cause)
        execution = told.get("QueryExecution", told)
        status = execution["Status"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "a query", f"{failure.get('Error', 'no error was given')} {cause[:1_000]}".strip(), False
    lasting = status.get("AthenaError", {}).get("Retryable") is False
    reason = " ".join(str(status.get("StateChangeReason", "no reason was given")).split())
    return f"query {execution.get('QueryExecutionId', 'without an id')}", reason, lasting


def without(event: Event, names: Sequence[str]) -> dict[str, Any]:
    """The state without what only one step needed."""
    return {name: value for name, value in event.items() if name not in names}

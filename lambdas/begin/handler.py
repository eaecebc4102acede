"""Begin: take the view's lease, and say which run to work on and which of its chunks are left."""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from asof.errors import LeaseHeldError, RequestError
from asof.manifest import FeatureView
from asof.materialize.events import HOLD_MS, asked_of, connected, lease_to, request_from
from asof.materialize.lease import Lease, acquire
from asof.materialize.ledger import RunRecord
from asof.materialize.lifecycle import next_run, reader_of
from asof.materialize.services import Services
from asof.monitor.log import log_line
from asof.offline.sources import check_source
from asof.references import find_feature_view

MOST_CHUNKS: Final = 250
"""An execution keeps a history of 25,000 events, and a chunk takes some 70."""


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """``{"request": {...}, "execution": arn}`` -> the state of the run, or ``idle`` where there is nothing to do."""
    services, asked, execution = connected(), asked_of(event["request"]), event["execution"]
    view = find_feature_view(services.manifest, asked["view"])
    planner = request_from(asked).planner(services, view)
    lease = _take(services, view, execution)
    found = None
    try:
        check_source(services.glue, services.environment, services.source(view), services.s3)
        found = next_run(services, view, lease, planner)
        chunks = _chunks_left(services, view, found[0]) if found else []
    except BaseException:
        lease.release()  # nobody after this knows the lease
        raise
    if found is None:
        lease.release()
    record, left_open = found or (None, False)
    run_id = record.run.run_id if record else None
    print(log_line("begin", view=view.reference, run=run_id, chunks=len(chunks), left_open=left_open))
    return {
        "view": view.reference,
        "lease": lease_to(lease),
        "run_id": run_id,
        "chunks": chunks,
        "idle": record is None,
        "again": left_open,
        "request": asked,
    }


def _chunks_left(services: Services, view: FeatureView, record: RunRecord) -> list[int]:
    recorded = reader_of(services).chunks(view.reference, record.run.run_id)
    done = {index for index, each in recorded.items() if each.reached("committed")}
    left = [chunk.index for chunk in record.run.chunks if chunk.index not in done]
    if len(left) > MOST_CHUNKS:
        raise RequestError(
            f"run {record.run.run_id} of {view.reference} has {len(left)} chunks, and one execution takes "
            f"{MOST_CHUNKS}; give it up with asof abandon, and choose longer chunks or a shorter interval"
        )
    return left


def _take(services: Services, view: FeatureView, execution: str) -> Lease:
    """The lease; also from an execution that was stopped before it could give it back."""
    dynamodb, table, clock = services.dynamodb, services.environment.control_table, services.clock
    try:
        return acquire(dynamodb, table, view.reference, execution, clock, hold_ms=HOLD_MS)
    except LeaseHeldError as error:
        if not _has_ended(error.owner):
            raise
        return acquire(dynamodb, table, view.reference, execution, clock, hold_ms=HOLD_MS, ended=error.owner)


def _has_ended(owner: str) -> bool:
    """Whether the lease's owner is an execution of a state machine that is not at work any more."""
    if ":execution:" not in owner:
        return False
    try:
        found = boto3.client("stepfunctions").describe_execution(executionArn=owner)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return True
    return found["status"] not in ("RUNNING", "PENDING_REDRIVE")

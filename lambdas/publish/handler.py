"""Publish: advance the watermark, close the run, give the lease back, and say in metrics what the run did."""

from __future__ import annotations

from typing import Any

from asof.errors import LeaseLostError
from asof.materialize.events import StageEvent, connected, written_by
from asof.materialize.ledger import RunRecord
from asof.materialize.lifecycle import publish_run
from asof.monitor.metrics import QUARANTINED, ROWS, SCANNED_BYTES, TOO_LATE, WRITTEN, metric_line
from asof.offline.objects import delete_prefix


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """The state of the run -> the request again, with ``again`` where it was an older run that had been left open."""
    services = connected()
    stage = StageEvent.of(services, event)
    record = stage.run(event["run_id"])
    if record.state != "published":  # else this is a repetition, and the lease may be another's by now
        written = written_by(event, stage.view)
        chunks = stage.committed(record)
        try:
            record = publish_run(services, stage.view, stage.lease, record, chunks=chunks, written=written)
            print(_metrics(services.environment.name, stage.view.reference, record, services.clock.now_ms()))
        except LeaseLostError:
            # Lost to another call with this event, perhaps, which was quicker.
            if stage.run(event["run_id"]).state != "published":
                raise
    if event.get("prefix"):
        delete_prefix(services.s3, services.environment.offline_bucket, event["prefix"])
    stage.lease.release()
    return {"again": event["again"], "run_id": event["run_id"], **event["request"]}


def _metrics(environment: str, view: str, record: RunRecord, now_ms: int) -> str:
    values = {
        ROWS: record.rows,
        WRITTEN: record.written,
        QUARANTINED: record.quarantined,
        TOO_LATE: record.too_late,
        SCANNED_BYTES: record.scanned_bytes,
    }
    return metric_line(environment, view, values, now_ms, run=record.run.run_id, kind=record.run.kind)

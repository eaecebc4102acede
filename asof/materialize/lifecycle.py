"""What begins a run and what ends it, whoever does the work in between: the runner in-process, or a state machine."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asof.clock import from_ms
from asof.errors import RequestError
from asof.manifest import FeatureView
from asof.materialize.chunk import clear_staging
from asof.materialize.lease import Lease
from asof.materialize.ledger import ChunkRecord, Ledger, LedgerReader, RunRecord, RunState, Watermark
from asof.materialize.plan import CHUNK_MS, plan_incremental, plan_range
from asof.materialize.services import Services
from asof.materialize.stages import Run, RunKind

Planner = Callable[[Watermark | None, str], Run | None]
"""From the watermark and a run id to the run, or None where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What somebody asks to be done with a view. Without ``start_ms`` the kind is ``incremental``."""

    kind: RunKind
    start_ms: int | None = None
    end_ms: int | None = None
    chunk_ms: int = CHUNK_MS

    def planner(self, services: Services, view: FeatureView) -> Planner:
        """The planner of what is asked, as of the services' clock; raises RequestError where the parts do not fit."""
        now_ms = services.clock.now_ms()
        if self.kind == "incremental":
            source = services.source(view)
            return lambda watermark, run_id: plan_incremental(
                view, source, watermark=watermark, now_ms=now_ms, end_ms=self.end_ms, run_id=run_id
            )
        if self.start_ms is None:
            raise RequestError(f"a run of kind {self.kind!r} over {view.reference} needs a start")
        bounds = self.start_ms, now_ms if self.end_ms is None else self.end_ms
        return lambda watermark, run_id: plan_range(
            view, self.kind, bounds, watermark=watermark, now_ms=now_ms, run_id=run_id, chunk_ms=self.chunk_ms
        )


def new_run_id(now_ms: int, token: int) -> str:
    """A run id that sorts by time, then by the lease's token: ``20260131T120000123-00007-1a2b3c``."""
    return f"{from_ms(now_ms):%Y%m%dT%H%M%S}{now_ms % 1000:03d}-{token:05d}-{secrets.token_hex(3)}"


def ledger_of(services: Services, lease: Lease) -> Ledger:
    """The ledger that a held lease writes."""
    return Ledger(lease, services.environment.online_table)


def reader_of(services: Services) -> LedgerReader:
    """The ledger that anybody reads."""
    return LedgerReader(services.dynamodb, services.environment.control_table)


def next_run(services: Services, view: FeatureView, lease: Lease, planner: Planner) -> tuple[RunRecord, bool] | None:
    """The run to work on now, and whether somebody else left it open; None where there is nothing to do.

    What was left open comes first, oldest first. Only then a new run is planned and recorded. An owner that comes back
    to its own open run, as a repeated call or a redriven execution does, finds there what it was asked for.
    """
    reader = reader_of(services)
    for record in reader.runs(view.reference):
        if record.state == "open":
            return record, record.owner != lease.owner
    now_ms = services.clock.now_ms()
    run = planner(reader.watermark(view.reference), new_run_id(now_ms, lease.token))
    if run is None:
        return None
    record = RunRecord(run, "open", now_ms, owner=lease.owner)
    ledger_of(services, lease).record_run(record)
    return record, False


def closed(
    services: Services, record: RunRecord, chunks: Iterable[ChunkRecord], written: int, state: RunState
) -> RunRecord:
    """The record of a run that has come to its end, with the sums over its chunks."""
    ended = list(chunks)
    return dataclasses.replace(
        record,
        state=state,
        ended_ms=services.clock.now_ms(),
        rows=sum(each.rows for each in ended),
        written=written,
        quarantined=sum(each.quarantined for each in ended),
        too_late=sum(each.too_late for each in ended),
        scanned_bytes=sum(each.scanned_bytes for each in ended),
        error="",
    )


def publish_run(
    services: Services,
    view: FeatureView,
    lease: Lease,
    record: RunRecord,
    *,
    chunks: Iterable[ChunkRecord],
    written: int,
) -> RunRecord:
    """The last stage: clear up, close the run and advance the watermark. Repeating it changes nothing."""
    clear_staging(services, view, record.run)
    ended = list(chunks)
    done = closed(services, record, ended, written, "published")
    watermark = _advanced(reader_of(services).watermark(view.reference), record.run, view, ended)
    ledger_of(services, lease).publish(done, watermark)
    return done


def record_failure(services: Services, lease: Lease, record: RunRecord, error: str) -> None:
    """Say in the ledger what stopped a run; it stays open, and the next run of the view finishes it."""
    ledger_of(services, lease).record_run(dataclasses.replace(record, error=error))


def _advanced(before: Watermark | None, run: Run, view: FeatureView, chunks: Iterable[ChunkRecord]) -> Watermark:
    """The watermark after a run: its grid times and its newest data joined to those published before."""
    newest = [each.newest_ms for each in chunks]
    first_ms, through_ms = run.from_ms, run.to_ms - view.step_ms
    if before is not None:
        newest.append(before.newest_ms)
        first_ms, through_ms = min(before.first_ms, first_ms), max(before.through_ms, through_ms)
    known = [each for each in newest if each is not None]
    return Watermark(first_ms, through_ms, max(known, default=None))

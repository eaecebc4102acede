"""Executes runs in-process: takes the lease, finishes what was left open, plans, works through the stages.

The ledger decides what is still to be done, so a run that was killed anywhere is finished by whoever comes next.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from asof.clock import from_ms
from asof.errors import AsofError, LeaseLostError, RequestError
from asof.manifest import FeatureView
from asof.materialize.chunk import Attempt, clear_staging
from asof.materialize.lease import Lease, acquire
from asof.materialize.ledger import ChunkRecord, Ledger, LedgerReader, RunRecord, RunState, Watermark
from asof.materialize.load import load
from asof.materialize.services import Services
from asof.materialize.stages import Chunk, Run

Progress = Callable[[str, int, int], None]
"""Called after each stage with what was done, the stages done so far and their total."""

Planner = Callable[[Watermark | None, str], Run | None]
"""From the watermark and a run id to the run, or None where there is nothing to do."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """No progress."""


def new_run_id(now_ms: int) -> str:
    """A run id that sorts by time: ``20260131T120000-1a2b3c``."""
    return f"{from_ms(now_ms):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs one view of an environment, ``workers`` chunks side by side (they do not depend on each other)."""

    services: Services
    view: FeatureView
    workers: int = 2
    progress: Progress = quiet

    def execute(self, planner: Planner) -> list[RunRecord]:
        """Finish open runs, then plan and execute a new one; the finished runs, oldest first.

        Raises LeaseHeldError where another run is at work, and the stage's error where one fails: the run then stays
        open, its lease is released, and the next call goes on where this one stopped.
        """
        lease = self._acquire()
        try:
            finished = [self._finish(lease, record) for record in self._open_runs()]
            run = planner(self._reader().watermark(self.view.reference), new_run_id(self.services.clock.now_ms()))
            if run is not None:
                record = RunRecord(run, "open", self.services.clock.now_ms())
                self._ledger(lease).record_run(record)
                finished.append(self._finish(lease, record))
        finally:
            lease.release()
        return finished

    def abandon(self, run_id: str) -> RunRecord:
        """Close an open run without computing further; what it committed is loaded, so history and lookups agree.

        Raises RequestError where there is no such open run.
        """
        lease = self._acquire()
        try:
            record = self._reader().run(self.view.reference, run_id)
            if record is None or record.state != "open":
                raise RequestError(f"{self.view.reference} has no open run {run_id!r}")
            ledger, recorded = self._ledger(lease), self._reader().chunks(self.view.reference, run_id)
            for chunk in record.run.chunks:
                if chunk.index in recorded and recorded[chunk.index].reached("checked"):
                    recorded[chunk.index] = self._chunk(lease, ledger, record.run, chunk, recorded[chunk.index])
            committed = [each for each in recorded.values() if each.reached("committed")]
            written = load(self.services, self.view, record.run, committed, lease.renew) if self.view.online else 0
            closed = self._closed(record, committed, written, "abandoned")
            ledger.record_run(closed)
        finally:
            lease.release()
        return closed

    def _acquire(self) -> Lease:
        environment, clock = self.services.environment, self.services.clock
        owner = f"run-{secrets.token_hex(4)}"
        return acquire(self.services.dynamodb, environment.control_table, self.view.reference, owner, clock)

    def _reader(self) -> LedgerReader:
        return LedgerReader(self.services.dynamodb, self.services.environment.control_table)

    def _ledger(self, lease: Lease) -> Ledger:
        return Ledger(lease, self.services.environment.online_table)

    def _open_runs(self) -> list[RunRecord]:
        return [record for record in self._reader().runs(self.view.reference) if record.state == "open"]

    def _finish(self, lease: Lease, record: RunRecord) -> RunRecord:
        """Work through everything of an open run that the ledger does not show as done."""
        ledger = self._ledger(lease)
        try:
            return self._work(lease, ledger, record)
        except LeaseLostError:
            raise
        except AsofError as error:
            ledger.record_run(dataclasses.replace(record, error=f"{type(error).__name__}: {error}"))
            error.add_note(
                f"run {record.run.run_id} of {self.view.reference} stays open and is finished by the next run; "
                f"to give it up: asof abandon {self.view.reference} {record.run.run_id}"
            )
            raise

    def _work(self, lease: Lease, ledger: Ledger, record: RunRecord) -> RunRecord:
        run = record.run
        recorded = self._reader().chunks(self.view.reference, run.run_id)
        total = len(run.chunks) + 2
        ended: list[ChunkRecord] = []

        def one(chunk: Chunk) -> None:
            ended.append(self._chunk(lease, ledger, run, chunk, recorded.get(chunk.index)))
            self.progress(f"committed chunk {chunk.index + 1} of {len(run.chunks)}", len(ended), total)

        each_of(run.chunks, one, self.workers)
        written = load(self.services, self.view, run, ended, lease.renew) if self.view.online else 0
        self.progress("loaded", total - 1, total)
        clear_staging(self.services, self.view, run)
        closed = self._closed(record, ended, written, "published")
        ledger.publish(closed, _advanced(self._reader().watermark(self.view.reference), run, self.view))
        self.progress("published", total, total)
        return closed

    def _chunk(self, lease: Lease, ledger: Ledger, run: Run, chunk: Chunk, record: ChunkRecord | None) -> ChunkRecord:
        """Bring one chunk to ``committed`` from wherever the ledger shows it."""
        attempt = Attempt(self.services, ledger, self.view, run, chunk)
        progress = attempt.begin(f"{run.run_id}-{chunk.index:05d}-{lease.token}", record)
        result = None
        while progress.step != "done":
            progress, query = attempt.advance(progress, result)
            if query is not None:
                result = self.services.athena.run(query.sql, query.purpose, view=self.view.reference, token=query.token)
        return progress.record

    def _closed(self, record: RunRecord, chunks: Sequence[ChunkRecord], written: int, state: RunState) -> RunRecord:
        return dataclasses.replace(
            record,
            state=state,
            ended_ms=self.services.clock.now_ms(),
            rows=sum(each.rows for each in chunks),
            written=written,
            quarantined=sum(each.quarantined for each in chunks),
            too_late=sum(each.too_late for each in chunks),
            scanned_bytes=sum(each.scanned_bytes for each in chunks),
            error="",
        )


def _advanced(before: Watermark | None, run: Run, view: FeatureView) -> Watermark:
    """The watermark after a run: its grid times joined to those published before."""
    after = Watermark(run.from_ms, run.to_ms - view.step_ms)
    if before is None:
        return after
    return Watermark(min(before.first_ms, after.first_ms), max(before.through_ms, after.through_ms))


def each_of(items: Sequence[Chunk], work: Callable[[Chunk], None], workers: int) -> None:
    """Do the work of every item, ``workers`` at a time.

    Where one fails, those not yet begun are left for the next run, those at work come to their end, and the first
    error is raised.
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="asof-chunk") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

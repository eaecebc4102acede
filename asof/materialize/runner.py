"""Executes runs in-process: takes the lease, finishes what was left open, plans, works through the stages.

The ledger decides what is still to be done, so a run that was killed anywhere is finished by whoever comes next.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from asof.errors import AsofError, LeaseLostError, RequestError
from asof.manifest import FeatureView
from asof.materialize.chunk import Attempt
from asof.materialize.heartbeat import beating
from asof.materialize.lease import Lease, acquire
from asof.materialize.ledger import ChunkRecord, Ledger, RunRecord
from asof.materialize.lifecycle import (
    Planner,
    closed,
    ledger_of,
    next_run,
    publish_run,
    reader_of,
    record_failure,
)
from asof.materialize.load import load
from asof.materialize.services import Services
from asof.materialize.stages import Chunk, Run, run_steps

Progress = Callable[[str, int, int], None]
"""Called after each stage with what was done, the stages done so far and their total."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """No progress."""


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
            finished: list[RunRecord] = []
            left_open = True
            with beating(lease):
                while left_open and (found := next_run(self.services, self.view, lease, planner)) is not None:
                    record, left_open = found
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
            reader, ledger = reader_of(self.services), ledger_of(self.services, lease)
            record = reader.run(self.view.reference, run_id)
            if record is None or record.state != "open":
                raise RequestError(f"{self.view.reference} has no open run {run_id!r}")
            recorded = reader.chunks(self.view.reference, run_id)
            for chunk in record.run.chunks:
                if chunk.index in recorded and recorded[chunk.index].reached("checked"):
                    recorded[chunk.index] = self._chunk(lease, ledger, record.run, chunk, recorded[chunk.index])
            committed = [each for each in recorded.values() if each.reached("committed")]
            written = load(self.services, self.view, record.run, committed, lease.renew) if self.view.online else 0
            given_up = closed(self.services, record, committed, written, "abandoned")
            ledger.record_run(given_up)
        finally:
            lease.release()
        return given_up

    def _acquire(self) -> Lease:
        environment, clock = self.services.environment, self.services.clock
        owner = f"run-{secrets.token_hex(4)}"
        return acquire(self.services.dynamodb, environment.control_table, self.view.reference, owner, clock)

    def _finish(self, lease: Lease, record: RunRecord) -> RunRecord:
        """Work through everything of an open run that the ledger does not show as done."""
        try:
            return self._work(lease, record)
        except LeaseLostError:
            raise
        except AsofError as error:
            record_failure(self.services, lease, record, f"{type(error).__name__}: {error}")
            error.add_note(
                f"run {record.run.run_id} of {self.view.reference} stays open and is finished by the next run; "
                f"to give it up: asof abandon {self.view.reference} {record.run.run_id}"
            )
            raise

    def _work(self, lease: Lease, record: RunRecord) -> RunRecord:
        run, ledger = record.run, ledger_of(self.services, lease)
        recorded = reader_of(self.services).chunks(self.view.reference, run.run_id)
        steps = run_steps(self.view)
        total = len(run.chunks) + len(steps)
        ended: list[ChunkRecord] = []

        def one(chunk: Chunk) -> None:
            ended.append(self._chunk(lease, ledger, run, chunk, recorded.get(chunk.index)))
            self.progress(f"committed chunk {chunk.index + 1} of {len(run.chunks)}", len(ended), total)

        each_of(run.chunks, one, self.workers)
        written = 0
        if "load" in steps:
            written = load(self.services, self.view, run, ended, lease.renew)
            self.progress("loaded", total - 1, total)
        published = publish_run(self.services, self.view, lease, record, chunks=ended, written=written)
        self.progress("published", total, total)
        return published

    def _chunk(self, lease: Lease, ledger: Ledger, run: Run, chunk: Chunk, record: ChunkRecord | None) -> ChunkRecord:
        """Bring one chunk to ``committed`` from wherever the ledger shows it."""
        attempt = Attempt(self.services, ledger, self.view, run, chunk)
        progress = attempt.begin(f"{run.run_id}-{chunk.index:05d}-{lease.token}", record)
        result = None
        while progress.step != "done":
            progress, query = attempt.advance(progress, result)
            if query is not None:
                result = query.ask(self.services.queries, self.view.reference)
        return progress.record


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

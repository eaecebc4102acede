"""One chunk's way from nothing to visible: the steps of ``CHUNK_STEPS``, around the queries that are run for them.

``advance`` goes on and says which query comes next; who runs the query does not matter. The runner runs it in the same
process, a state machine as a task of its own. Every step may be repeated by anyone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from asof.errors import CheckFailedError
from asof.manifest import FeatureView
from asof.materialize.intervals import query_dates
from asof.materialize.ledger import ChunkRecord, Ledger
from asof.materialize.services import Services
from asof.materialize.stages import CHUNK_STEPS, Chunk, ChunkStep, Run
from asof.names import attempt_prefix, history_table, quarantine_prefix, staging_table
from asof.offline import partitions
from asof.offline.athena import QueryResult
from asof.offline.partitions import Partition
from asof.offline.queries import Query, Unload
from asof.sql.binding import bind

CHECKS = {
    "null_keys": "rows with a null key",
    "duplicates": "rows beyond the first with the same keys, event and created time",
    "out_of_range": "rows whose event time is not in the interval",
    "unavailable": "rows that are not yet available at the time of the run",
}
"""What the check query counts, and what each count means; all must be zero."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt has come: ``step`` names what the query that was handed out last is for."""

    step: ChunkStep | Literal["begin", "done"]
    record: ChunkRecord


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt at a chunk works with; ``ledger`` holds the lease."""

    services: Services
    ledger: Ledger
    view: FeatureView
    run: Run
    chunk: Chunk

    def begin(self, name: str, record: ChunkRecord | None) -> Progress:
        """Where to go on: from what the ledger shows, or anew as attempt ``name``.

        An attempt that was never checked is nobody's. Computing anew is as good, and its times are then true.
        """
        if record is None or not record.reached("checked"):
            return Progress("begin", ChunkRecord("begun", name, self.services.clock.now_ms()))
        return Progress("done", self._commit(record))

    def advance(self, progress: Progress, result: QueryResult | None) -> tuple[Progress, Query | None]:
        """Go through the steps up to the next query, given the result of the one handed out last; then ``done``.

        Raises CheckFailedError, naming rows, where the computed rows are not fit to be seen.
        """
        step, record = progress.step, progress.record
        if step == "done":
            return progress, None
        if result is not None:
            record = dataclasses.replace(record, scanned_bytes=record.scanned_bytes + result.scanned_bytes)
        left = CHUNK_STEPS
        if step != "begin":
            record, left = self._ended(step, record, result), CHUNK_STEPS[CHUNK_STEPS.index(step) + 1 :]
        for following in left:
            query = self._begun(following, record)
            if query is not None:
                return Progress(following, record), query
            record = self._passed(following, record)
        return Progress("done", record), None

    def _begun(self, step: ChunkStep, record: ChunkRecord) -> Query | None:
        """The query of a step; None where it needs none."""
        if step == "count":
            return self._query("counts", record)
        if step == "quarantine":
            return self._unload("quarantine", record) if record.quarantined else None
        if step == "compute":
            return self._unload("compute", record)
        return self._query("check", record) if step == "check" and record.partitions else None

    def _ended(self, step: ChunkStep, record: ChunkRecord, result: QueryResult | None) -> ChunkRecord:
        """What is known once the query of a step has ended."""
        if step == "count":
            return self._counted(record, self._row(result))
        if step == "compute":
            return self._computed(record)
        return self._checked(record, self._row(result)) if step == "check" else record

    def _passed(self, step: ChunkStep, record: ChunkRecord) -> ChunkRecord:
        """What is known after a step that needed no query: nothing to check is checked."""
        if step == "check":
            return self._keep(record, "checked")
        return self._commit(record) if step == "commit" else record

    def _counted(self, record: ChunkRecord, found: dict[str, int]) -> ChunkRecord:
        return dataclasses.replace(
            record,
            quarantined=found["null_keys"],
            # Only a run that follows the clock can say that something came after its time.
            too_late=found["too_late"] if self.run.kind == "incremental" else 0,
            newest_ms=found["newest_ms"] or None,
        )

    def _computed(self, record: ChunkRecord) -> ChunkRecord:
        """Find what the unload wrote and show it to the check."""
        prefix = attempt_prefix(self.view.name, self.view.version, record.attempt)
        written = partitions.written_partitions(self.services.s3, self.services.environment.offline_bucket, prefix)
        record = dataclasses.replace(record, partitions={each.event_date: each.location for each in written})
        self._register(record, staging_table(self.view.name, self.view.version))
        return self._keep(record, "computed")

    def _checked(self, record: ChunkRecord, found: dict[str, int]) -> ChunkRecord:
        broken = {name: found[name] for name in CHECKS if found[name]}
        if broken:
            samples = self.services.queries.rows(
                self._bound("check_failures", record), "check", view=self.view.reference
            )
            raise CheckFailedError(
                f"{self.view.reference}: the computed rows are not fit to be seen: "
                + "; ".join(f"{count} {CHECKS[name]}" for name, count in broken.items())
                + f". Nothing became visible; the rows are under {next(iter(record.partitions.values()))}",
                failures=[str(sample) for sample in samples],
            )
        return self._keep(dataclasses.replace(record, rows=found["rows"]), "checked")

    def _commit(self, record: ChunkRecord) -> ChunkRecord:
        """Make the attempt's rows visible: one registration, which any number of repeats leave the same."""
        if record.reached("committed"):
            return record
        self._register(record, history_table(self.view.name, self.view.version))
        partitions.drop(
            self.services.glue,
            self.services.environment.database,
            staging_table(self.view.name, self.view.version),
            [(event_date, record.attempt) for event_date in record.partitions],
        )
        return self._keep(record, "committed")

    def _keep(self, record: ChunkRecord, stage: str) -> ChunkRecord:
        record = dataclasses.replace(record, stage=stage)
        self.ledger.record_chunk(self.run, self.chunk, record)
        return record

    def _register(self, record: ChunkRecord, table: str) -> None:
        wanted = [Partition(event_date, record.attempt, place) for event_date, place in record.partitions.items()]
        partitions.register(self.services.glue, self.services.environment.database, table, wanted)

    def _row(self, result: QueryResult | None) -> dict[str, int]:
        """The counts of a query that gives one row of them; a sum over nothing is NULL and counts as 0."""
        rows = self.services.queries.results(result.query_id) if result else []
        return {name: int(str(value)) if value is not None else 0 for row in rows for name, value in row.items()}

    def _bound(self, question: str, record: ChunkRecord) -> str:
        values = parameters(self.view, self.run, self.chunk, record.now_ms)
        return bind(self.view.queries[question], {**values, "run": record.attempt})

    def _query(self, question: str, record: ChunkRecord) -> Query:
        return Query(question, self._bound(question, record), f"{record.attempt}/{question}")

    def _unload(self, question: Literal["quarantine", "compute"], record: ChunkRecord) -> Query:
        under = {"quarantine": quarantine_prefix, "compute": attempt_prefix}[question]
        prefix = under(self.view.name, self.view.version, record.attempt)
        uri = f"s3://{self.services.environment.offline_bucket}/{prefix}"
        partitioned_by = ("event_date",) if question == "compute" else ()
        place = Unload(uri, partitioned_by=partitioned_by)
        return Query(question, self._bound(question, record), f"{record.attempt}/{question}", place)


def parameters(view: FeatureView, run: Run, chunk: Chunk, now_ms: int) -> dict[str, int | str]:
    """The parameters of the view's queries for one chunk of a run, computed at ``now_ms``."""
    return {
        "begin_ms": run.begin_ms,
        "from_ms": chunk.from_ms,
        "to_ms": chunk.to_ms,
        "on_time_ms": chunk.on_time_ms,
        "now_ms": now_ms,
        "known_ms": now_ms - view.publish_delay_ms,
        **query_dates(view, chunk.from_ms, chunk.to_ms),
    }


def clear_staging(services: Services, view: FeatureView, run: Run) -> None:
    """Forget what killed attempts of a run left registered in the staging table."""
    database, table = services.environment.database, staging_table(view.name, view.version)
    pages = services.glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
    values = [(each["Values"][0], each["Values"][1]) for page in pages for each in page["Partitions"]]
    partitions.drop(services.glue, database, table, [each for each in values if each[1].startswith(f"{run.run_id}-")])

"""One chunk's way from nothing to visible, as a sequence of steps around the queries that Athena runs for it.

``advance`` takes a step and says which query comes next; who runs the query does not matter. The runner runs it in the
same process, a state machine as a task of its own. Every step may be repeated by anyone.
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
from asof.materialize.stages import Chunk, Run
from asof.names import attempt_prefix, history_table, quarantine_prefix, staging_table
from asof.offline import partitions
from asof.offline.athena import QueryResult, unload_sql
from asof.offline.partitions import Partition
from asof.sql.binding import bind

CHECKS = {
    "null_keys": "rows with a null key",
    "duplicates": "rows beyond the first with the same keys, event and created time",
    "out_of_range": "rows whose event time is not in the interval",
    "unavailable": "rows that are not yet available at the time of the run",
}
"""What the check query counts, and what each count means; all must be zero."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement for Athena. ``token`` makes starting it idempotent."""

    purpose: str
    sql: str
    token: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt has come: ``step`` names what the query that was handed out last is for."""

    step: Literal["begin", "count", "quarantine", "compute", "check", "done"]
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

    def advance(  # noqa: PLR0911  # one return per step reads like the list of steps
        self, progress: Progress, result: QueryResult | None
    ) -> tuple[Progress, Query | None]:
        """Take the next step, given the result of the query handed out last; ends with ``done`` and no query.

        Raises CheckFailedError, naming rows, where the computed rows are not fit to be seen.
        """
        record = progress.record
        if result is not None:
            record = dataclasses.replace(record, scanned_bytes=record.scanned_bytes + result.scanned_bytes)
        if progress.step == "begin":
            return Progress("count", record), self._query("counts", record)
        if progress.step == "count":
            found = self._row(result)
            record = dataclasses.replace(
                record,
                quarantined=found["null_keys"],
                # Only a run that follows the clock can say that something came after its time.
                too_late=found["too_late"] if self.run.kind == "incremental" else 0,
                newest_ms=found["newest_ms"] or None,
            )
            step: Literal["quarantine", "compute"] = "quarantine" if record.quarantined else "compute"
            return Progress(step, record), self._unload(step, record)
        if progress.step == "quarantine":
            return Progress("compute", record), self._unload("compute", record)
        if progress.step == "compute":
            record = self._computed(record)
            if record.partitions:
                return Progress("check", record), self._query("check", record)
            return Progress("done", self._commit(self._keep(record, "checked"))), None
        if progress.step == "check":
            return Progress("done", self._commit(self._checked(record, self._row(result)))), None
        return progress, None

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
            samples = self.services.athena.rows(
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
        rows = self.services.athena.results(result.query_id) if result else []
        return {name: int(str(value)) if value is not None else 0 for row in rows for name, value in row.items()}

    def _bound(self, question: str, record: ChunkRecord) -> str:
        values = parameters(self.view, self.run, self.chunk, record.now_ms)
        return bind(self.view.queries[question], {**values, "run": record.attempt})

    def _query(self, question: str, record: ChunkRecord) -> Query:
        return Query(question, self._bound(question, record), f"{record.attempt}/{question}")

    def _unload(self, question: Literal["quarantine", "compute"], record: ChunkRecord) -> Query:
        place = {"quarantine": quarantine_prefix, "compute": attempt_prefix}[question]
        prefix = place(self.view.name, self.view.version, record.attempt)
        uri = f"s3://{self.services.environment.offline_bucket}/{prefix}"
        partitioned_by = ("event_date",) if question == "compute" else ()
        sql = unload_sql(self._bound(question, record), uri, partitioned_by=partitioned_by)
        return Query(question, sql, f"{record.attempt}/{question}")


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

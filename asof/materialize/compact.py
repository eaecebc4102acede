"""Compaction: many small partitions of a view's history become one per event date, and no answer changes.

1. The rows are written under a prefix of the attempt's own, which is nobody's yet.
2. Its partitions are registered in the staging table, and SQL verifies that they hold exactly the rows to replace.
3. The ledger records ``checked``, through the lease.
4. The new partitions are registered in the history, then the old ones are dropped. Between the two every row is there
   twice, which is harmless: a join picks one row of equals. Never is one missing.
5. A day later, when no query can still be reading them, the old objects are deleted. With them goes what attempts wrote
   that came to nothing, a run's or a compaction's: no partition points there, and nobody will go on with it.

A kill leaves the history complete at every moment; what was ``checked`` is swapped by whoever compacts next. Partitions
of open runs are left alone, because the load of a run finds its rows by the run. Nobody asks for a closed run's rows.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from asof.clock import DAY_MS, utc_date
from asof.errors import CheckFailedError
from asof.manifest import FeatureView
from asof.materialize.compaction_record import CompactionRecord, compactions, keep, ledger_key
from asof.materialize.heartbeat import beating
from asof.materialize.lease import Lease, acquire
from asof.materialize.lifecycle import new_run_id, reader_of
from asof.materialize.services import Services
from asof.names import attempt_prefix, history_table, staging_table
from asof.offline import partitions
from asof.offline.catalog import parquet_table_of, places
from asof.offline.objects import delete_prefix
from asof.offline.partitions import Partition
from asof.offline.queries import Query, Unload
from asof.sql.compaction import compacted, compaction_check
from asof.sql.dialects import render

GRACE_MS: Final = DAY_MS
"""How long replaced objects are kept for queries that began before the swap."""

_MOST_DATES: Final = 31
_MOST_PARTITIONS: Final = 1_000
_ATTEMPT: Final = "compact-"


def quiet(_record: CompactionRecord) -> None:
    """No progress."""


@dataclass(frozen=True, slots=True)
class Compactor:
    """Compacts one view of an environment. ``dialect`` is that of what the services ask their queries of."""

    services: Services
    view: FeatureView
    dialect: str = "athena"
    progress: Callable[[CompactionRecord], None] = quiet

    def execute(self, first: str = "", last: str = "") -> list[CompactionRecord]:
        """Compact the event dates from ``first`` to ``last`` (ISO, inclusive; by default all before today).

        Returns the swaps made, those another left unfinished among them. Raises LeaseHeldError where another compaction
        of the view is at work, CheckFailedError where what was written is not what was there; nothing changed then.
        """
        services = self.services
        last = last or utc_date(services.clock.now_ms() - DAY_MS)
        table, key = services.environment.control_table, ledger_key(self.view)
        lease = acquire(services.dynamodb, table, key, f"compact-{secrets.token_hex(4)}", services.clock)
        try:
            with beating(lease):
                self._sweep(lease)
                self._sweep_attempts()
                made = [self._swap(lease, each) for each in compactions(services, self.view) if each.stage == "checked"]
                self._clear_staging()
                for number, dates in enumerate(units(self._candidates(first, last))):
                    record = self._written(
                        f"{_ATTEMPT}{new_run_id(services.clock.now_ms(), lease.token)}-{number}", dates
                    )
                    made.append(self._swap(lease, keep(lease, record)))
                    self.progress(made[-1])
        finally:
            lease.release()
        return made

    def _candidates(self, first: str, last: str) -> dict[str, list[str]]:
        """Each event date with more than one partition, with their runs; those of open runs left out.

        Partitions are listed before runs: a run that is closed by then needs its partitions no more.
        """
        found: dict[str, list[str]] = {}
        for event_date, run in self._registered(history_table(self.view.name, self.view.version)):
            if first <= event_date <= last:
                found.setdefault(event_date, []).append(run)
        runs = reader_of(self.services).runs(self.view.reference)
        still_open = tuple(f"{record.run.run_id}-" for record in runs if record.state == "open")
        closed = {date: [run for run in runs if not run.startswith(still_open)] for date, runs in found.items()}
        return {event_date: sorted(runs) for event_date, runs in sorted(closed.items()) if len(runs) > 1}

    def _written(self, attempt: str, before: Mapping[str, list[str]]) -> CompactionRecord:
        """Write and verify one unit."""
        services, view = self.services, self.view
        entity = services.entity(view)
        dates, runs = sorted(before), sorted({run for each in before.values() for run in each})
        prefix = attempt_prefix(view.name, view.version, attempt)
        place = Unload(f"s3://{services.environment.offline_bucket}/{prefix}", partitioned_by=("event_date",))
        select = render(compacted(view, entity, dates, runs), self.dialect)
        unloaded = Query("compact", select, f"{attempt}/compact", place).ask(services.queries, view.reference)
        written = partitions.written_partitions(services.s3, services.environment.offline_bucket, prefix)
        self._register(staging_table(view.name, view.version), written)
        check = render(compaction_check(view, entity, dates, runs, attempt), self.dialect)
        checked = Query("compact", check, f"{attempt}/check").ask(services.queries, view.reference)
        (found,) = services.queries.results(checked.query_id)
        counts = {name: int(str(value)) for name, value in found.items()}
        if any(counts[rule] for rule in ("lost", "added", "repeated")):
            raise CheckFailedError(
                f"{view.reference}: the rows written under {place.uri} are not those they are to replace, of "
                f"{len(before)} dates: {counts}. Nothing was changed"
            )
        scanned = unloaded.scanned_bytes + checked.scanned_bytes
        after = {each.event_date: each.location for each in written}
        return CompactionRecord(attempt, "checked", services.clock.now_ms(), before, after, counts["rows"], scanned)

    def _swap(self, lease: Lease, record: CompactionRecord) -> CompactionRecord:
        """Point the catalog to the new partitions; any number of repeats leave the same."""
        history, database = history_table(self.view.name, self.view.version), self.services.environment.database
        new = [Partition(event_date, record.attempt, place) for event_date, place in record.after.items()]
        self._register(history, new)
        partitions.drop(self.services.glue, database, history, record.replaced())
        staging = staging_table(self.view.name, self.view.version)
        partitions.drop(self.services.glue, database, staging, [each.values for each in new])
        return keep(lease, dataclasses.replace(record, stage="swapped", now_ms=self.services.clock.now_ms()))

    def _sweep(self, lease: Lease) -> None:
        """Delete the objects that were replaced long enough ago, unless something points to them again."""
        services, view = self.services, self.view
        due = services.clock.now_ms() - GRACE_MS
        ready = [each for each in compactions(services, view) if each.stage == "swapped" and each.now_ms <= due]
        if not ready:
            return
        registered = set(self._registered(history_table(view.name, view.version)))
        for record in ready:
            for event_date, run in record.replaced():
                if (event_date, run) not in registered:
                    prefix = f"{attempt_prefix(view.name, view.version, run)}event_date={event_date}/"
                    delete_prefix(services.s3, services.environment.offline_bucket, prefix)
            keep(lease, dataclasses.replace(record, stage="swept"))

    def _sweep_attempts(self) -> None:
        """Delete what attempts wrote that came to nothing, once their run has been over for long enough.

        Objects are listed first, the ledger is read next and the catalog last: of a run that was over by then, whatever
        was to be seen is in the catalog.
        """
        services, view = self.services, self.view
        bucket, due = services.environment.offline_bucket, services.clock.now_ms() - GRACE_MS
        written = partitions.written_attempts(services.s3, bucket, view.name, view.version)
        runs = reader_of(services).runs(view.reference)
        over = tuple(f"{each.run.run_id}-" for each in runs if each.ended_ms is not None and each.ended_ms <= due)
        latest = f"{_ATTEMPT}{new_run_id(due, 0)}"  # these have no record before they are checked, but a time
        needed: set[str] = set()
        for record in compactions(services, view):  # what these replaced has a day of its own
            needed |= {record.attempt, *(run for _, run in record.replaced())}
        needed |= {run for _, run in self._registered(history_table(view.name, view.version))}
        for attempt in (each for each in written if each not in needed):
            is_over = attempt < latest if attempt.startswith(_ATTEMPT) else attempt.startswith(over)
            if is_over:
                delete_prefix(services.s3, bucket, attempt_prefix(view.name, view.version, attempt))

    def _clear_staging(self) -> None:
        """Forget what killed attempts left registered in the staging table."""
        staging = staging_table(self.view.name, self.view.version)
        left = [each for each in self._registered(staging) if each[1].startswith(_ATTEMPT)]
        partitions.drop(self.services.glue, self.services.environment.database, staging, left)

    def _registered(self, table: str) -> Iterator[tuple[str, str]]:
        found = parquet_table_of(self.services.glue, self.services.environment.database, table)
        for _, (event_date, run) in places(self.services.glue, self.services.s3, found, {}):
            yield event_date, run

    def _register(self, table: str, wanted: Sequence[Partition]) -> None:
        partitions.register(self.services.glue, self.services.environment.database, table, wanted)


def units(
    dates: Mapping[str, list[str]], most_dates: int = _MOST_DATES, most_partitions: int = _MOST_PARTITIONS
) -> Iterator[dict[str, list[str]]]:
    """Event dates with their runs in groups that one write, one query's text and one record can hold."""
    unit: dict[str, list[str]] = {}
    for event_date, runs in dates.items():
        if unit and (len(unit) >= most_dates or sum(map(len, unit.values())) + len(runs) > most_partitions):
            yield unit
            unit = {}
        unit[event_date] = runs
    if unit:
        yield unit

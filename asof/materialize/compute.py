"""The first three stages of a chunk: compute out of sight, check, commit. Each may be repeated by anyone."""

from __future__ import annotations

import dataclasses

from asof.errors import CheckFailedError
from asof.manifest import FeatureView
from asof.materialize.intervals import query_dates
from asof.materialize.ledger import ChunkRecord
from asof.materialize.services import Services
from asof.materialize.stages import Chunk, Run
from asof.names import attempt_prefix, history_table, quarantine_prefix, staging_table
from asof.offline import partitions
from asof.offline.partitions import Partition
from asof.sql.binding import bind

CHECKS = {
    "null_keys": "rows with a null key",
    "duplicates": "rows beyond the first with the same keys, event and created time",
    "out_of_range": "rows whose event time is not in the interval",
    "unavailable": "rows that are not yet available at the time of the run",
}
"""What the check query counts, and what each count means; all must be zero."""


def compute(services: Services, view: FeatureView, chunk: Chunk, attempt: str) -> ChunkRecord:
    """Unload the rows that differ from the history to the attempt's own prefix; set rows with a null key aside."""
    now_ms = services.clock.now_ms()
    values = parameters(view, chunk, now_ms)
    bucket = services.environment.offline_bucket
    counts = services.athena.fetch_one(
        bind(view.queries["counts"], values), "count", view=view.reference, token=f"{attempt}/counts"
    )
    quarantined, too_late = _count(counts["null_keys"]), _count(counts["too_late"])
    scanned = 0
    if quarantined:
        scanned += services.athena.unload(
            bind(view.queries["quarantine"], values),
            f"s3://{bucket}/{quarantine_prefix(view.name, view.version, attempt)}",
            "quarantine",
            view=view.reference,
            token=f"{attempt}/quarantine",
        ).scanned_bytes
    prefix = attempt_prefix(view.name, view.version, attempt)
    scanned += services.athena.unload(
        bind(view.queries["compute"], values),
        f"s3://{bucket}/{prefix}",
        "compute",
        view=view.reference,
        token=f"{attempt}/compute",
        partitioned_by=("event_date",),
    ).scanned_bytes
    written = partitions.written_partitions(services.s3, bucket, prefix)
    return ChunkRecord(
        stage="computed",
        attempt=attempt,
        now_ms=now_ms,
        partitions={each.event_date: each.location for each in written},
        quarantined=quarantined,
        too_late=too_late,
        scanned_bytes=scanned,
    )


def check(services: Services, view: FeatureView, chunk: Chunk, record: ChunkRecord) -> ChunkRecord:
    """Verify the attempt's rows through the staging table; raises CheckFailedError, naming rows, where one is wrong."""
    if not record.partitions:
        return dataclasses.replace(record, stage="checked")
    _register(services, record, staging_table(view.name, view.version))
    values = {**parameters(view, chunk, record.now_ms), "run": record.attempt}
    found = services.athena.fetch_one(bind(view.queries["check"], values), "check", view=view.reference)
    broken = {name: _count(found[name]) for name in CHECKS if _count(found[name])}
    if broken:
        samples = services.athena.rows(bind(view.queries["check_failures"], values), "check", view=view.reference)
        raise CheckFailedError(
            f"{view.reference}: the computed rows are not fit to be seen: "
            + "; ".join(f"{count} {CHECKS[name]}" for name, count in broken.items())
            + f". Nothing became visible; the rows are under {next(iter(record.partitions.values()))}",
            failures=[str(sample) for sample in samples],
        )
    return dataclasses.replace(record, stage="checked", rows=_count(found["rows"]))


def commit(services: Services, view: FeatureView, record: ChunkRecord) -> ChunkRecord:
    """Make the attempt's rows visible: one registration of partitions, which any number of repeats leave the same."""
    if record.partitions:
        _register(services, record, history_table(view.name, view.version))
        partitions.drop(
            services.glue,
            services.environment.database,
            staging_table(view.name, view.version),
            [(event_date, record.attempt) for event_date in record.partitions],
        )
    return dataclasses.replace(record, stage="committed")


def clear_staging(services: Services, view: FeatureView, run: Run) -> None:
    """Forget what killed attempts of a run left registered in the staging table."""
    database, table = services.environment.database, staging_table(view.name, view.version)
    pages = services.glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
    values = [(each["Values"][0], each["Values"][1]) for page in pages for each in page["Partitions"]]
    partitions.drop(services.glue, database, table, [each for each in values if each[1].startswith(f"{run.run_id}-")])


def _register(services: Services, record: ChunkRecord, table: str) -> None:
    """Point a table at an attempt's rows."""
    wanted = [Partition(event_date, record.attempt, place) for event_date, place in record.partitions.items()]
    partitions.register(services.glue, services.environment.database, table, wanted)


def _count(value: object) -> int:
    """A count from a query's one row; an aggregate over nothing is NULL."""
    return int(str(value)) if value is not None else 0


def parameters(view: FeatureView, chunk: Chunk, now_ms: int) -> dict[str, int | str]:
    """The parameters of the view's queries for one chunk, computed at ``now_ms``."""
    return {
        "from_ms": chunk.from_ms,
        "to_ms": chunk.to_ms,
        "on_time_ms": chunk.on_time_ms,
        "now_ms": now_ms,
        "known_ms": now_ms - view.publish_delay_ms,
        **query_dates(view, chunk.from_ms, chunk.to_ms),
    }

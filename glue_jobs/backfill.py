"""Backfill a view over a long range on Spark; what ``asof backfill`` does with Athena, with the same ledger and lease.

    --view airport_departures --start 2020-01-01 [--end 2026-01-01] [--chunk 90d] [--workers 1]

Killed anywhere and run again, by this job or by ``asof backfill``, it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asof.clock import duration_ms
from asof.materialize.ledger import RunRecord
from asof.materialize.lifecycle import RunRequest
from asof.materialize.on_spark import on_spark
from asof.materialize.plan import CHUNK_MS
from asof.materialize.runner import Runner
from asof.materialize.services import Services
from asof.offline.sources import check_source
from asof.references import find_feature_view
from glue_jobs.job import connected, instant_ms, parsed, parser, say, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def backfill(
    services: Services, spark: SparkSession, reference: str, request: RunRequest, workers: int = 1
) -> list[RunRecord]:
    """Execute what is asked of a view, after what others left open; the finished runs, oldest first.

    Raises what ``asof.materialize.runner.Runner.execute`` raises.
    """
    view = find_feature_view(services.manifest, reference)
    check_source(services.glue, services.environment, services.source(view), services.s3)
    ours, rendered = on_spark(services, view, spark)

    def told(what: str, done: int, total: int) -> None:
        say(job="backfill", view=view.reference, what=what, done=done, total=total)

    return Runner(ours, rendered, workers, told).execute(request.planner(ours, rendered))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    given = parser("Backfill a view on Spark")
    given.add_argument("--view", required=True)
    given.add_argument("--start", required=True)
    given.add_argument("--end")
    given.add_argument("--chunk")
    given.add_argument("--workers", type=int, default=1, help="chunks side by side")
    found = parsed(given, arguments)
    chunk_ms = duration_ms(found.chunk, "chunk") if found.chunk else CHUNK_MS
    request = RunRequest("backfill", instant_ms(found.start, "start"), instant_ms(found.end, "end"), chunk_ms)
    for record in backfill(connected(found), session(found), found.view, request, found.workers):
        say(job="backfill", run=record.run.run_id, state=record.state, rows=record.rows, written=record.written)


if __name__ == "__main__":
    main()

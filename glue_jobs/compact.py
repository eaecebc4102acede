"""Rewrite a view's history on Spark, so that each event date is one partition of one file; no answer changes.

    --view airport_departures [--first 2025-01-01] [--last 2025-12-31]

Dates are event dates, inclusive; by default all before today. Runs of the view go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asof.materialize.compact import Compactor
from asof.materialize.compaction_record import CompactionRecord
from asof.materialize.on_spark import on_spark
from asof.materialize.services import Services
from asof.references import find_feature_view
from glue_jobs.job import connected, parsed, parser, say, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def compact(
    services: Services, spark: SparkSession, reference: str, first: str = "", last: str = ""
) -> list[CompactionRecord]:
    """Compact a view's history; the swaps made. Raises what ``asof.materialize.compact.Compactor.execute`` raises."""
    ours, rendered = on_spark(services, find_feature_view(services.manifest, reference), spark)

    def told(record: CompactionRecord) -> None:
        say(job="compact", view=rendered.reference, dates=len(record.before), partitions=record.partitions)

    return Compactor(ours, rendered, "spark", told).execute(first, last)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    given = parser("Compact a view's history on Spark")
    given.add_argument("--view", required=True)
    given.add_argument("--first", default="", help="the first event date")
    given.add_argument("--last", default="", help="the last event date")
    found = parsed(given, arguments)
    made = compact(connected(found), session(found), found.view, found.first, found.last)
    say(job="compact", swaps=len(made), partitions=sum(each.partitions for each in made))


if __name__ == "__main__":
    main()

"""Write a training set that is too large for one Athena query, on Spark, from entity rows in S3 or a query to S3.

    --entity_rows s3://bucket/labels/ --features airport_departures:count_1h,... --to s3://bucket/training/

``--entity_rows`` is a prefix of Parquet or a SELECT in Athena's SQL; ``--features`` a list, or one feature service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from asof.clock import from_ms
from asof.materialize.services import Services
from asof.offline.datasets import SavedDataset
from asof.offline.engine import AsOf
from asof.offline.entity_rows import LABEL
from asof.offline.retrieval import get_historical_features
from asof.offline.spark_engine import SparkEngine
from glue_jobs.job import connected, instant_ms, parsed, parser, say, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class Wanted:
    """A training set: entity rows, features and rules, as ``FeatureStore.get_historical_features`` takes them."""

    entity_rows: str
    features: str | Sequence[str]
    as_of: AsOf = "served"
    known_as_of: datetime | None = None
    full_feature_names: bool = False
    label: str = LABEL


def export(services: Services, spark: SparkSession, wanted: Wanted, location: str) -> SavedDataset:
    """Write a training set under an empty prefix; its record. Raises what ``RetrievalJob.to_s3`` raises."""
    job = get_historical_features(
        services.manifest,
        SparkEngine(services.environment, spark, services.glue, services.s3),
        wanted.entity_rows,
        wanted.features,
        as_of=wanted.as_of,
        known_as_of=wanted.known_as_of,
        full_feature_names=wanted.full_feature_names,
        label=wanted.label,
        progress=lambda what, done: say(job="export", what=what, done=done),
    )
    return job.to_s3(location)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    given = parser("Export a training set on Spark")
    given.add_argument("--entity_rows", required=True)
    given.add_argument("--features", required=True)
    given.add_argument("--to", required=True)
    given.add_argument("--as_of", choices=("served", "event"), default="served")
    given.add_argument("--known_as_of")
    given.add_argument("--full_feature_names", choices=("true", "false"), default="false")
    given.add_argument("--label", default=LABEL)
    found = parsed(given, arguments)
    known_ms = instant_ms(found.known_as_of, "known_as_of")
    wanted = Wanted(
        found.entity_rows,
        found.features.split(",") if ":" in found.features else found.features,
        found.as_of,
        None if known_ms is None else from_ms(known_ms),
        found.full_feature_names == "true",
        found.label,
    )
    dataset = export(connected(found), session(found), wanted, found.to)
    say(job="export", location=dataset.location, rows=dataset.rows)


if __name__ == "__main__":
    main()

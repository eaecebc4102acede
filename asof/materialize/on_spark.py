"""A run on Spark: the same stages, ledger and lease; only the queries are Spark's, rendered from the same expression.

The manifest holds Athena's text alone. Its definitions are what that text was rendered from, so they are rendered again
here; that this gives the manifest's own text for Athena shows that the two are of one meaning.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from asof.errors import ManifestError
from asof.manifest import BatchSource, Entity, FeatureView
from asof.materialize.services import Services
from asof.names import history_table, source_table, staging_table
from asof.offline.spark_queries import SparkQueries
from asof.offline.spark_session import prepare
from asof.offline.spark_tables import SparkTables
from asof.sql.queries import render_queries

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def on_spark(services: Services, view: FeatureView, spark: SparkSession) -> tuple[Services, FeatureView]:
    """The services and the view, as ``asof.materialize.runner.Runner`` takes them, with Spark in Athena's place.

    Raises ManifestError where the view's queries were rendered by another version of asof than this one.
    """
    source, entity = services.source(view), services.entity(view)
    _same_meaning(view, entity, source)
    database = services.environment.database
    name = source_table(source.name)
    source_place = (source.table or f"{database}.{name}").rpartition(".")
    relations = {
        name: (source_place[0] or database, source_place[2]),
        **{table(view.name, view.version): (database, table(view.name, view.version)) for table in _TABLES},
    }
    sort = [*(key.name for key in entity.join_keys), "event_timestamp", "created_timestamp"]
    tables = SparkTables(prepare(spark), services.glue, services.s3)
    # Temporary views have no database, so the source goes by the name it would have without a table of its own.
    unqualified = dataclasses.replace(source, table=None)
    rendered = dataclasses.replace(view, queries=render_queries(view, entity, unqualified, "spark"))
    return dataclasses.replace(services, instead=SparkQueries(tables, relations, sort)), rendered


_TABLES = (history_table, staging_table)


def _same_meaning(view: FeatureView, entity: Entity, source: BatchSource) -> None:
    if dict(view.queries) != render_queries(view, entity, source):
        raise ManifestError(
            f"the queries of {view.reference} in the manifest were rendered by another version of asof than this one, "
            f"so Spark's text might mean something else; deploy the jobs and the definitions together"
        )

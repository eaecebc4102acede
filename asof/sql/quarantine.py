"""The source rows of a run that lack a key, with all declared columns, so that somebody can mend them."""

from __future__ import annotations

from sqlglot import exp

from asof.manifest import BatchSource, Entity, FeatureView
from asof.sql.expressions import ascending, column
from asof.sql.source_rows import any_key_null, rows_between, work_interval


def quarantine(view: FeatureView, entity: Entity, source: BatchSource) -> exp.Select:
    """The rows that ``counts`` counts as ``null_keys``, as they stand in the source, by event time."""
    rows = rows_between(view, source, *work_interval(view)).where(any_key_null(entity))
    return rows.order_by(ascending(column(source.timestamp_field)))

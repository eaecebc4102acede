"""Polars' ``join_asof``, in the environment of the peer ``polars``."""

from __future__ import annotations

import datetime
import importlib
from typing import Any, Final

from benchmarks.support.measure import Prepared
from benchmarks.support.point_in_time_data import Data

_INSTANT: Final = {"served": "available_timestamp", "event": "event_timestamp"}


def join_asof(task: dict[str, Any]) -> Prepared:
    """A lazy scan per view, sorted and joined backward. As ``served`` it is wrong where rows come late."""
    polars = importlib.import_module("polars")
    data, instant = Data.read(task), _INSTANT[task["as_of"]]
    entity_rows = polars.read_parquet(data.labels)

    def run() -> Any:
        joined = entity_rows.lazy().sort("label")
        for view in range(data.views):
            outputs = {name: f"view{view}__{name}" for name in data.feature_names}
            columns = [polars.col(each).alias(to) for each, to in outputs.items()]
            rows = polars.scan_parquet(data.files(view), hive_partitioning=False)
            rows = rows.select("user_id", polars.col(instant).alias("at"), "event_timestamp", *columns).sort("at")
            joined = joined.join_asof(rows, left_on="label", right_on="at", by="user_id", strategy="backward")
            if data.ttl_days:
                alive = polars.col("event_timestamp") >= polars.col("label") - datetime.timedelta(days=data.ttl_days)
                joined = joined.with_columns(polars.when(alive).then(polars.col(each)) for each in outputs.values())
            joined = joined.drop("at", "event_timestamp", strict=False)
        return joined.select("row_id", *data.outputs).collect().to_arrow()

    return run

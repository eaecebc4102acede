"""Feast's SDK over its local offline stores, in the environment of the peer ``feast``."""

from __future__ import annotations

import importlib
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.support.measure import Prepared
from benchmarks.support.point_in_time_data import Data

_CONFIGURATION = """\
project: benchmark
provider: local
registry: {folder}/registry.db
offline_store: {{type: {store}}}
online_store: {{type: sqlite, path: {folder}/online.db}}
entity_key_serialization_version: 3
"""


def on_duckdb(task: dict[str, Any]) -> Prepared:
    """``get_historical_features`` on the ``duckdb`` offline store."""
    return _prepared(Data.read(task), "duckdb")


def on_dask(task: dict[str, Any]) -> Prepared:
    """``get_historical_features`` on the ``dask`` offline store, Feast's default.

    It reads copies in one file per view with time zones: it does not get through a day per file, nor naive times.
    """
    return _prepared(Data.read(task), "dask")


def _prepared(data: Data, store: str) -> Prepared:
    feast, pandas = importlib.import_module("feast"), importlib.import_module("pandas")
    folder = Path(tempfile.mkdtemp(prefix="feast-", dir=data.folder))
    (folder / "feature_store.yaml").write_text(_CONFIGURATION.format(folder=folder, store=store))
    repository = feast.FeatureStore(repo_path=str(folder))
    repository.apply(_definitions(feast, data, store))
    entity_df = pandas.read_parquet(data.labels).rename(columns={"label": "event_timestamp"})
    entity_df["event_timestamp"] = entity_df["event_timestamp"].dt.tz_localize("UTC")
    features = [f"view{view}:{name}" for view in range(data.views) for name in data.feature_names]

    def run() -> Any:
        job = repository.get_historical_features(entity_df, features, full_feature_names=True)
        return job.to_arrow()

    return run


def _definitions(feast: Any, data: Data, store: str) -> list[Any]:
    types = importlib.import_module("feast.types")
    user = feast.Entity(name="user", join_keys=["user_id"], value_type=feast.ValueType.INT64)
    definitions = [user]
    for view in range(data.views):
        source = feast.FileSource(
            name=f"source{view}",
            path=data.files(view) if store == "duckdb" else _single_file(data, view),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
            file_format=importlib.import_module("feast.data_format").ParquetFormat(),
        )
        schema = [feast.Field(name=name, dtype=types.Float64) for name in data.feature_names]
        ttl = timedelta(days=data.ttl_days) if data.ttl_days else None
        definitions.append(
            feast.FeatureView(name=f"view{view}", entities=[user], ttl=ttl, schema=schema, source=source)
        )
    return definitions


def _single_file(data: Data, view: int) -> str:
    path = data.folder / f"view{view}_single.parquet"
    if not path.exists():
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        dataset = importlib.import_module("pyarrow.dataset").dataset(data.history(view))
        zoned = [
            each.with_type(arrow.timestamp("us", "UTC")) if arrow.types.is_timestamp(each.type) else each
            for each in dataset.schema
        ]
        with parquet.ParquetWriter(path, arrow.schema(zoned)) as writer:
            for batch in dataset.to_batches():
                if batch.num_rows:
                    writer.write_batch(batch.cast(arrow.schema(zoned)))
    return str(path)

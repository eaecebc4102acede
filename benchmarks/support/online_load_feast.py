"""Feast's ``materialize`` from a Parquet file into its DynamoDB online store. Run in Feast's environment.

A contestant of ``benchmarks.support.measure``: preparing makes the file, the registry and an empty table.
"""

from __future__ import annotations

import json
import os
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks.support.online_data import EVENT_MS, feature_names, is_integer, row
from benchmarks.support.online_load_data import VIEW, Load

_BATCH = 100


def feast(task: dict[str, Any]) -> Any:
    """``materialize`` over the hour in which every row's event is."""
    warnings.simplefilter("ignore")
    import pyarrow as pa

    load = Load(**task)
    os.environ.update(load.environment())
    path = Path(load.folder) / f"rows-{load.rows}.parquet"
    if not path.exists():
        write(path, load.rows)
    store = applied(load, path)
    start = datetime.fromtimestamp(EVENT_MS / 1000, timezone.utc) - timedelta(minutes=30)

    def run() -> Any:
        store.materialize(start, start + timedelta(hours=1))
        return pa.table({"written": [load.rows], "wrong": [wrong_rows(store, load)]}) if load.check else None

    return run


def write(path: Path, rows: int) -> None:
    """The rows as Feast's offline store has them."""
    import pandas as pd

    found = [row(VIEW, user) for user in range(rows)]
    columns = {
        name: pd.array([values[i] for values in found], dtype="Int64" if is_integer(i) else "Float64")
        for i, name in enumerate(feature_names(VIEW))
    }
    times = [datetime.fromtimestamp(EVENT_MS / 1000, timezone.utc)] * rows
    frame = pd.DataFrame({"user_id": range(rows), "event_timestamp": times, "created": times, **columns})
    frame.to_parquet(path)


def applied(load: Load, path: Path) -> Any:
    """A feature store of one view, whose table is there and empty."""
    from feast import (  # type: ignore[import-not-found]  # its own environment has it
        Entity,
        FeatureStore,
        FeatureView,
        Field,
        FileSource,
        ValueType,
    )
    from feast.types import Float64, Int64  # type: ignore[import-not-found]  # as above

    folder = Path(load.folder) / load.table
    folder.mkdir()
    config = {
        "project": load.table.replace("-", "_"),
        "provider": "local",
        "registry": str(folder / "registry.db"),
        "online_store": {"type": "dynamodb", "region": load.region, "endpoint_url": load.endpoint},
        "offline_store": {"type": "file"},
        "entity_key_serialization_version": 3,
    }
    (folder / "feature_store.yaml").write_text(json.dumps(config))  # JSON is YAML
    store = FeatureStore(repo_path=str(folder))
    source = FileSource(path=str(path), timestamp_field="event_timestamp", created_timestamp_column="created")
    schema = [Field(name=name, dtype=Int64 if is_integer(i) else Float64) for i, name in enumerate(feature_names(VIEW))]
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    store.apply([user, FeatureView(name=VIEW, entities=[user], ttl=timedelta(0), schema=schema, source=source)])
    return store


def wrong_rows(store: Any, load: Load) -> int:
    """How many users' values are not what they should be, read back in the end."""
    features = [f"{VIEW}:{name}" for name in feature_names(VIEW)]
    wrong = 0
    for start in range(0, load.rows, _BATCH):
        users = list(range(start, min(start + _BATCH, load.rows)))
        answer = store.get_online_features(features, {"user_id": users}).to_dict()
        columns = [answer[name] for name in feature_names(VIEW)]
        wrong += sum(list(got) != row(VIEW, user) for *got, user in zip(*columns, users, strict=True))
    return wrong

"""Contestants of this environment: Asof as a user calls it, and DuckDB's own ASOF JOIN over the same files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asof.manifest import Column, Entity, Feature, FeatureView, Manifest
from asof.names import Environment
from asof.offline.duckdb_engine import DuckDBEngine
from asof.offline.retrieval import get_historical_features
from asof.offline.tables import history_table_input
from benchmarks.support.measure import Prepared
from benchmarks.support.point_in_time_data import DAY_MS, DELAY_MS, Data

AsOf = Literal["served", "event"]
ENVIRONMENT = Environment("bench", "123456789012", "eu-west-1")
_INSTANT = {"served": "available_timestamp", "event": "event_timestamp"}


def asof(task: dict[str, Any]) -> Prepared:
    """``get_historical_features`` on the DuckDB engine, its cache of objects warm, from a pandas frame to Arrow."""
    data, rule = Data.read(task), task["as_of"]
    manifest = Manifest((USER,), (), tuple(view(data, place) for place in range(data.views)))
    files = Files.of(data, manifest)
    engine = DuckDBEngine(ENVIRONMENT, None, files, files, cache=data.folder / "cache")
    entity_df = pd.read_parquet(data.labels)
    features = [f"view{place}:{name}" for place in range(data.views) for name in data.feature_names]

    def run() -> pa.Table:
        job = get_historical_features(
            manifest, engine, entity_df, features, as_of=rule, label="label", full_feature_names=True
        )
        return job.to_arrow()

    return run


def duckdb_asof(task: dict[str, Any]) -> Prepared:
    """DuckDB's ASOF JOIN, features only, no order asked for. As ``served`` it is wrong where rows come late."""
    data, rule = Data.read(task), task["as_of"]
    entity_rows = pq.read_table(data.labels)

    def run() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.register("entity_rows", entity_rows)
            return connection.sql(_asof_join(data, rule)).to_arrow_table()

    return run


def _asof_join(data: Data, rule: AsOf) -> str:
    columns, joins = ["l.row_id"], []
    for place in range(data.views):
        alive = f"v{place}.event_timestamp >= l.label - to_milliseconds({data.ttl_days * DAY_MS})"
        for each in data.feature_names:
            value = f"CASE WHEN {alive} THEN v{place}.{each} END" if data.ttl_days else f"v{place}.{each}"
            columns.append(f"{value} AS view{place}__{each}")
        joins.append(
            f"ASOF LEFT JOIN '{data.files(place)}' AS v{place} "
            f"ON l.user_id = v{place}.user_id AND l.label >= v{place}.{_INSTANT[rule]}"
        )
    return f"SELECT {', '.join(columns)} FROM entity_rows AS l {' '.join(joins)}"


USER = Entity("user", (Column("user_id", "Int64"),))


def view(data: Data, place: int) -> FeatureView:
    """A view of the data, as a team would have declared it."""
    features = tuple(Feature(name, "Float64") for name in data.feature_names)
    return FeatureView(
        f"view{place}",
        1,
        "user",
        "source",
        "passthrough",
        features,
        ttl_ms=data.ttl_days * DAY_MS,
        publish_delay_ms=DELAY_MS,
    )


@dataclass(frozen=True)
class Files:
    """The calls of Glue and S3 that a join makes, answered from what was listed before: no server is measured."""

    data: Data
    manifest: Manifest
    objects: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, data: Data, manifest: Manifest) -> Files:
        """All files there are, by key."""
        found = ((each, f"history/{each.relative_to(data.folder)}") for each in data.folder.glob("*/*/*/*.parquet"))
        keys = {key: path for path, key in found if data.folder / "cache" not in path.parents}
        objects = ({"Key": key, "Size": keys[key].stat().st_size, "ETag": '"1"'} for key in sorted(keys))
        return cls(data, manifest, tuple(objects))

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        """Glue's."""
        declared = next(each for each in self.manifest.feature_views if f"{each.name}_v1" == Name)
        return {"Table": history_table_input(ENVIRONMENT, self.manifest, declared) | {"DatabaseName": DatabaseName}}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803  # boto3's names
        """S3's."""
        return {"Body": (self.data.folder / Key.removeprefix("history/")).open("rb")}

    def get_paginator(self, operation: str) -> _Pages:
        """Glue's and S3's."""
        return _Pages(self.objects, operation)


@dataclass(frozen=True)
class _Pages:
    objects: tuple[dict[str, Any], ...]
    operation: str

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        if self.operation == "list_objects_v2":
            yield {"Contents": [each for each in self.objects if each["Key"].startswith(asked["Prefix"])]}
            return
        table = f"history/{asked['TableName']}/"
        folders = sorted({each["Key"].rpartition("/")[0] for each in self.objects if each["Key"].startswith(table)})
        yield {"Partitions": [_partition(folder) for folder in folders]}


def _partition(folder: str) -> dict[str, Any]:
    values = [part.partition("=")[2] for part in folder.split("/")[2:]]
    return {"Values": values, "StorageDescriptor": {"Location": f"s3://{ENVIRONMENT.offline_bucket}/{folder}/"}}

"""A small world for tests of runs: a local cloud, a source whose rows arrive over time, and a clock that is set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asof.clock import ManualClock, from_ms
from asof.local import LocalCloud
from asof.local.faults import CrashPlan
from asof.manifest import BatchSource, Entity, FeatureView, Manifest
from asof.materialize.services import Services
from asof.names import history_table
from asof.offline.tables import ensure_tables
from asof.sql.queries import render_queries
from asof.store import FeatureStore
from asof.value_types import parse_type
from tests.support.manifests import ENTITY

_ARROW = {"String": pa.string(), "Int64": pa.int64(), "Float64": pa.float64(), "Bool": pa.bool_()}

SOURCE_BUCKET = "raw-data"


def a_manifest(views: Sequence[FeatureView], source: BatchSource, entity: Entity = ENTITY) -> Manifest:
    """A manifest of views over one source, with their queries rendered."""
    rendered = tuple(dataclasses.replace(each, queries=render_queries(each, entity, source)) for each in views)
    return Manifest((entity,), (source,), rendered)


@dataclass
class World:
    """The store of a manifest, with ``store`` to work on and ``clock`` to move."""

    cloud: LocalCloud
    manifest: Manifest
    clock: ManualClock
    store: FeatureStore = field(init=False)
    _files: int = 0

    def __post_init__(self) -> None:
        environment = self.cloud.environment("test")
        self.cloud.provision(environment)
        session: Any = self.cloud.session()  # untyped: requests are built from parts here
        self.s3, self.glue = session.client("s3"), session.client("glue")
        self.s3.create_bucket(Bucket=SOURCE_BUCKET, CreateBucketConfiguration={"LocationConstraint": self.cloud.region})
        self._create_source(self.manifest.sources[0])
        self.store = FeatureStore(Services.connect(environment, self.manifest, session, self.clock))
        ensure_tables(self.glue, environment, self.manifest)

    def another_process(self, crash: CrashPlan) -> FeatureStore:
        """The same store, opened by somebody who may be killed."""
        session = self.cloud.session()
        crash.attach(session)
        return FeatureStore(Services.connect(self.store.services.environment, self.manifest, session, self.clock))

    def _columns(self, source: BatchSource) -> dict[str, Any]:
        columns: dict[str, Any] = {each.name: _ARROW[each.dtype] for each in source.columns}
        columns[source.timestamp_field] = pa.timestamp("ms")
        if source.created_timestamp_column:
            columns[source.created_timestamp_column] = pa.timestamp("ms")
        return columns

    def _create_source(self, source: BatchSource) -> None:
        database, table = str(source.table).split(".")
        glue_types = {each.name: parse_type(each.dtype).glue for each in source.columns}
        columns = [{"Name": name, "Type": glue_types.get(name, "timestamp")} for name in self._columns(source)]
        self.glue.create_database(DatabaseInput={"Name": database})
        self.glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": table,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "parquet"},
                "StorageDescriptor": {
                    "Columns": columns,
                    "Location": f"s3://{SOURCE_BUCKET}/{table}/",
                    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    "SerdeInfo": {
                        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    },
                },
            },
        )

    def arrive(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows reach the source; times are given in milliseconds."""
        source = self.manifest.sources[0]
        columns = self._columns(source)
        table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self._files += 1
        folder = str(source.table).split(".")[1]
        self.s3.put_object(
            Bucket=SOURCE_BUCKET, Key=f"{folder}/{self._files:05d}.parquet", Body=sink.getvalue().to_pybytes()
        )

    def history(self, view: FeatureView) -> list[dict[str, Any]]:
        """Everything visible in a view's history."""
        sql = f"SELECT * FROM {history_table(view.name, view.version)} ORDER BY 1, 2, 3"
        return self.store.services.athena.rows(sql, "test")

    def online(self, features: Sequence[str], origins: Sequence[str]) -> dict[str, list[Any]]:
        """What lookups answer now."""
        return self.store.get_online_features(features, [{"origin": each} for each in origins]).to_dict()

    def training(self, features: Sequence[str], rows: Sequence[tuple[str, int]], **options: Any) -> pd.DataFrame:
        """The point-in-time answer for (origin, label ms) rows."""
        frame = pd.DataFrame(
            {
                "origin": [origin for origin, _ in rows],
                "event_timestamp": pd.to_datetime([from_ms(label) for _, label in rows], utc=True),
            }
        )
        return self.store.get_historical_features(frame, features, **options).to_pandas()

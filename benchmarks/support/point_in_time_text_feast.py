"""The statement that Feast's Athena offline store would run, rendered by Feast itself with its AWS calls stubbed.

Run by the interpreter of the peer ``feast``: a task as JSON on stdin (``data``, ``catalog``, ``database``, ``table``,
``first``, ``last``), the statement on stdout. Entity rows are in a table ``entity_rows`` with ``row_id``, ``user_id``
and ``event_timestamp``.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.support.point_in_time_data import Data

_CONFIGURATION = """\
project: benchmark
provider: local
registry: {folder}/registry.db
offline_store:
  type: athena
  region: eu-west-1
  data_source: {catalog}
  workgroup: primary
  database: {database}
  s3_staging_location: s3://staging/feast
online_store: {{type: sqlite, path: {folder}/online.db}}
entity_key_serialization_version: 3
"""


def main() -> None:
    """Render what stdin asks for."""
    asked = json.load(sys.stdin)
    data = Data.read(asked)
    feast, pandas = importlib.import_module("feast"), importlib.import_module("pandas")
    stubbed: dict[str, Any] = {
        "aws_utils.get_athena_data_client": lambda *_: _client(data),
        "aws_utils.get_s3_resource": lambda *_: None,
        "aws_utils.upload_df_to_athena": lambda *_: None,
        "aws_utils.execute_athena_query": lambda *_: "",
        "aws_utils.delete_s3_directory": lambda *_: None,
        "offline_utils.get_temp_entity_table_name": lambda: "entity_rows",
    }
    with tempfile.TemporaryDirectory() as folder:
        text = _CONFIGURATION.format(folder=folder, catalog=asked["catalog"], database=asked["database"])
        Path(folder, "feature_store.yaml").write_text(text)
        store = importlib.import_module("feast.infra.offline_stores.contrib.athena_offline_store.athena")
        for name, stub in stubbed.items():
            part, _, function = name.partition(".")
            mock.patch.object(getattr(store, part), function, stub).start()
        repository = feast.FeatureStore(repo_path=folder)
        repository.apply(_definitions(feast, data, asked))
        # Only the first and the last label go into the text.
        entity_df = pandas.DataFrame(
            {"row_id": [0, 1], "user_id": [0, 0], "event_timestamp": [asked["first"], asked["last"]]}
        )
        entity_df["event_timestamp"] = pandas.to_datetime(entity_df["event_timestamp"], unit="ms", utc=True)
        features = [f"view0:{name}" for name in data.feature_names]
        job = repository.get_historical_features(entity_df, features, full_feature_names=True)
        with job._query_generator() as query:  # noqa: SLF001  # the Athena store's jobs have no to_sql()
            print(query)


def _definitions(feast: Any, data: Data, asked: dict[str, Any]) -> list[Any]:
    athena = importlib.import_module("feast.infra.offline_stores.contrib.athena_offline_store.athena_source")
    types = importlib.import_module("feast.types")
    source = athena.AthenaSource(
        name="source",
        table=asked["table"],
        database=asked["database"],
        data_source=asked["catalog"],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        date_partition_column="event_date",
    )
    user = feast.Entity(name="user", join_keys=["user_id"], value_type=feast.ValueType.INT64)
    schema = [feast.Field(name=name, dtype=types.Float64) for name in data.feature_names]
    ttl = timedelta(days=data.ttl_days) if data.ttl_days else None
    return [user, feast.FeatureView(name="view0", entities=[user], ttl=ttl, schema=schema, source=source)]


def _client(data: Data) -> Any:
    """Athena's answer to what columns the table has."""
    kinds = {
        "user_id": "bigint",
        "event_timestamp": "timestamp",
        "created_timestamp": "timestamp",
        "event_date": "string",
    }
    columns = [
        {"Name": name, "Type": kind} for name, kind in (kinds | dict.fromkeys(data.feature_names, "double")).items()
    ]
    return SimpleNamespace(get_table_metadata=lambda **_: {"TableMetadata": {"Columns": columns}})


if __name__ == "__main__":
    main()

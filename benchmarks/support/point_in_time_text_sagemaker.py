"""The statement that SageMaker's ``DatasetBuilder`` would run, rendered by its SDK with its AWS calls stubbed.

Run by the interpreter of the peer ``sagemaker``: a task as JSON on stdin (``data``, ``database``, ``table``), the
statement on stdout. Entity rows are in a table ``entity_rows`` of the database that the SDK always uses for frames,
with ``row_id``, ``user_id`` and ``label_s``; the feature group's table has the columns of SageMaker's offline store.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.support.point_in_time_data import Data


def main() -> None:
    """Render what stdin asks for; the SDK's own notices go to stderr."""
    asked = json.load(sys.stdin)
    data = Data.read(asked)
    stdout, sys.stdout = sys.stdout, sys.stderr
    os.environ |= {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
    builders, pandas = (
        importlib.import_module("sagemaker.mlops.feature_store.dataset_builder"),
        importlib.import_module("pandas"),
    )
    group = _feature_group(data, asked)
    said: list[str] = []

    def run_athena_query(*, query_string: str, **_: Any) -> dict[str, Any]:
        said.append(query_string)
        return {}

    mock.patch.object(builders, "upload_dataframe_to_s3", return_value=("s3://staging/", "entity_rows")).start()
    mock.patch.object(builders, "run_athena_query", run_athena_query).start()
    mock.patch.object(builders.FeatureGroup, "get", return_value=group).start()
    builder = builders.DatasetBuilder.create(
        base=pandas.DataFrame({"row_id": [0], "user_id": [0], "label_s": [0.0]}),
        output_path="s3://staging/",
        session=SimpleNamespace(),
        record_identifier_feature_name="user_id",
        event_time_identifier_feature_name="label_s",
    )
    # A LEFT JOIN, since the default loses entity rows without history; one recent record, since without that number
    # all visible rows are returned.
    builder = builder.with_feature_group(
        group, included_feature_names=data.feature_names, join_type=builders.JoinTypeEnum.LEFT_JOIN
    )
    builder.point_in_time_accurate_join().with_number_of_recent_records_by_record_identifier(1)
    # What to_csv_file() does for a frame; the public method reports its use to the SDK's authors.
    builder._to_csv_from_dataframe()  # noqa: SLF001  # see above
    print(said[-1], file=stdout)


def _feature_group(data: Data, asked: dict[str, Any]) -> Any:
    kinds = {"user_id": "Integral", "event_time": "Fractional"} | dict.fromkeys(data.feature_names, "Fractional")
    catalog = SimpleNamespace(catalog="AwsDataCatalog", database=asked["database"], table_name=asked["table"])
    return SimpleNamespace(
        feature_group_name="view0",
        record_identifier_feature_name="user_id",
        event_time_feature_name="event_time",
        feature_definitions=[SimpleNamespace(feature_name=name, feature_type=kind) for name, kind in kinds.items()],
        offline_store_config=SimpleNamespace(data_catalog_config=catalog),
    )


if __name__ == "__main__":
    main()

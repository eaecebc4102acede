"""Values come back to the last digit, on both engines: the ends of every type, and texts with every nasty character."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from asof.local import LocalCloud
from asof.manifest import Column, Entity, Feature, FeatureView, Manifest
from asof.offline.athena import Athena
from asof.offline.athena_engine import AthenaEngine
from asof.offline.duckdb_engine import DuckDBEngine
from asof.offline.engine import Engine
from asof.offline.partitions import register, written_partitions
from asof.offline.retrieval import get_historical_features
from asof.offline.tables import ensure_tables, history_columns
from tests.moto.offline import world

KEYS = [("it's", True, date(1, 1, 1)), ("é\n\t☃\U0001f600", False, date(9999, 12, 31)), ("", True, date(1970, 1, 1))]
ENTITY = Entity("thing", (Column("name", "String"), Column("good", "Bool"), Column("day", "Date")))
VIEW = FeatureView(
    "ends",
    1,
    "thing",
    "raw",
    "passthrough",
    (
        Feature("whole", "Int64"),
        Feature("real", "Float64"),
        Feature("text", "String"),
        Feature("at", "Timestamp"),
        Feature("on", "Date"),
        Feature("many", "Array<Int64>"),
        Feature("words", "Array<String>"),
        Feature("times", "Array<Timestamp>"),
    ),
)
MANIFEST = Manifest((ENTITY,), (), (VIEW,))
AT = datetime(2020, 1, 1, tzinfo=timezone.utc)
FIRST = datetime(1, 1, 1, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc)
VALUES: list[list[Any]] = [
    [2**63 - 1, 0.1 + 0.2, "'; DROP TABLE x; --", LAST, date(9999, 12, 31), [-(2**63), 2**63 - 1], ["", "a'b"], [LAST]],
    [-(2**63), float("-inf"), 'é\n\t☃\U0001f600 \\ "', FIRST, date(1, 1, 1), [], [], []],
    [0, -5e-324, "", AT - timedelta(milliseconds=1), date(1969, 12, 31), [0], ["☃"], [FIRST, AT]],
]


@pytest.fixture(scope="module")
def engines(cloud: LocalCloud) -> dict[str, Engine]:
    """Both engines over a history with one row per key."""
    environment = cloud.environment("values")
    cloud.provision(environment)
    session = cloud.session()
    s3, glue, athena = session.client("s3"), session.client("glue"), session.client("athena")
    ensure_tables(glue, environment, MANIFEST)
    names = [name for name, _ in history_columns(MANIFEST, VIEW)]
    rows = [[*key, AT, AT, AT, *values] for key, values in zip(KEYS, VALUES, strict=True)]
    columns = list(zip(*rows, strict=True))
    table = pa.table({name: _naive(pa.array(list(column))) for name, column in zip(names, columns, strict=True)})
    prefix = "history/ends_v1/run=a/"
    body = world.parquet(table)
    s3.put_object(Bucket=environment.offline_bucket, Key=f"{prefix}event_date=2020-01-01/0.parquet", Body=body)
    partitions = written_partitions(s3, environment.offline_bucket, prefix)
    register(glue, environment.database, "ends_v1", partitions)
    return {
        "athena": AthenaEngine(environment, Athena(athena, environment), glue, s3),
        "duckdb": DuckDBEngine(environment, None, glue, s3),
    }


def _naive(values: pa.Array) -> pa.Array:
    """Instants as Athena's Parquet has them: milliseconds without a zone."""
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("ms"))
    if pa.types.is_list(values.type) and pa.types.is_timestamp(values.type.value_type):
        return values.cast(pa.list_(pa.timestamp("ms")))
    return values


@pytest.mark.parametrize("engine", ["athena", "duckdb"])
def test_values_come_back_as_they_were_written(engines: dict[str, Engine], engine: str) -> None:
    name, good, day = zip(*KEYS, strict=True)
    labels = pa.table({"name": name, "good": good, "day": day, "event_timestamp": [AT] * len(KEYS)})
    result = get_historical_features(MANIFEST, engines[engine], labels, "ends", progress=lambda _what, _done: None)
    found = result.to_arrow().select([feature.name for feature in VIEW.features]).to_pylist()
    assert [repr(list(row.values())) for row in _plain(found)] == [repr(values) for values in VALUES]


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instants in Python's own UTC, so that they also look alike."""
    return [{name: _utc(value) for name, value in row.items()} for row in rows]


def _utc(value: Any) -> Any:
    if isinstance(value, list):
        return [_utc(each) for each in value]
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value

"""Partitions that follow a rule in the table's properties instead of being registered."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asof.clock import SystemClock, from_ms
from asof.offline.tables import parquet_table
from tests.moto.local.conftest import Asker

_RULE = {
    "projection.enabled": "true",
    "projection.day.type": "date",
    "projection.day.format": "yyyy-MM-dd",
    "projection.day.range": "2020-01-01,NOW",
}


def table(ask: Asker, *folders: str, **changes: str | None) -> str:
    """A table partitioned by day; each folder, relative to the table's, has one row that says its name."""
    name, location = ask.name(), ask.location()
    rule = {key: value for key, value in {**_RULE, **changes}.items() if value is not None}
    if "storage.location.template" in rule:
        rule["storage.location.template"] = location + rule["storage.location.template"]
    made: Any = parquet_table(name, [("x", "string")], location, partition_keys=[("day", "string")], parameters=rule)
    ask.session.client("glue").create_table(DatabaseName=ask.environment.database, TableInput=made)
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    for folder in folders:
        buffer = io.BytesIO()
        pq.write_table(pa.table({"x": [folder]}), buffer)
        key = f"{prefix}{folder}/rows.parquet"
        ask.session.client("s3").put_object(Bucket=bucket, Key=key, Body=buffer.getvalue())
    return name


def test_days_in_the_range_are_found(ask: Asker) -> None:
    """By their folders; days outside of it, or that are none, hold nothing, and conditions prune them as others."""
    today = from_ms(SystemClock().now_ms()).date().isoformat()
    days = ["2019-12-31", "2020-01-01", "2024-02-29", "2024-2-30", today, "9999-01-01"]
    name = table(ask, *(f"day={day}" for day in days))
    assert ask.rows(f"SELECT day FROM {name} ORDER BY day") == [["2020-01-01"], ["2024-02-29"], [today]]
    assert ask.rows(f"SELECT x FROM {name} WHERE day > '2020-01-01' AND day < '2025-01-01'") == [["day=2024-02-29"]]


@pytest.mark.parametrize(("last", "expected"), [("NOW+1DAYS", 1), ("NOW-1DAYS", 0), ("NOW + 2 DAYS", 1)])
def test_the_range_moves_with_the_clock(ask: Asker, last: str, expected: int) -> None:
    today = from_ms(SystemClock().now_ms()).date().isoformat()
    name = table(ask, f"day={today}", **{"projection.day.range": f"2020-01-01,{last}"})
    assert len(ask.rows(f"SELECT x FROM {name}")) == expected


def test_folders_follow_the_template(ask: Asker) -> None:
    """Also where the value is a part of a folder's name."""
    name = table(
        ask,
        "of/d-2020-01-02-x",
        "of/2020-01-02",
        "else/d-2020-01-02-x",
        **{"storage.location.template": "of/d-${day}-x/"},
    )
    assert ask.rows(f"SELECT day, x FROM {name}") == [["2020-01-02", "of/d-2020-01-02-x"]]


def test_an_enumeration(ask: Asker) -> None:
    name = table(
        ask, "day=mon", "day=tue", "day=wed", **{"projection.day.type": "enum", "projection.day.values": "mon,wed"}
    )
    assert ask.rows(f"SELECT day FROM {name} ORDER BY 1") == [["mon"], ["wed"]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"projection.day.type": None}, "INVALID_TABLE_PROPERTY"),
        ({"projection.day.range": "2020-01-01,SOON"}, "INVALID_TABLE_PROPERTY"),
        ({"projection.day.type": "integer"}, "NOT_SUPPORTED"),
        ({"projection.day.format": "yyyyMMdd"}, "NOT_SUPPORTED"),
    ],
)
def test_rules_that_are_not_known_are_refused(ask: Asker, changes: dict[str, str | None], reason: str) -> None:
    """Rather than no rows."""
    assert reason in ask.reason(f"SELECT x FROM {table(ask, **changes)}")

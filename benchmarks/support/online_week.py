"""A week of hourly runs over the flights that left New York: what changes at each hour, and what there is at each.

Asof writes a row where windows changed. A store that keeps only what it is given has every entity's windows computed
and written again each hour, since windows forget; entities without a flight in the longest window are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from asof.clock import DAY_MS, to_ms
from asof.definitions import compile_path
from asof.manifest import FeatureView, Manifest
from asof.names import history_table, staging_table
from asof.online.layout import OnlineRow
from asof.sql.binding import bind
from asof.sql.dialects import render
from asof.sql.queries import expressions
from examples.flights import dataset

HOUR_MS: Final = 3_600_000
VIEWS: Final = ("airport_departures", "carrier_punctuality", "aircraft_history")
_NATIVE: Final = {
    "Int64": "bigint",
    "Float64": "double",
    "String": "varchar",
    "Bool": "boolean",
    "Timestamp": "timestamp",
}


@dataclass(frozen=True, slots=True)
class Week:
    """One view's week: the rows where something changed, by their time, and how many rows there are at each hour."""

    view: FeatureView
    changed: Sequence[OnlineRow]
    dense: Sequence[int]


def flights() -> tuple[Manifest, duckdb.DuckDBPyConnection, int]:
    """The example's definitions, its tables in DuckDB, and a Monday in spring."""
    from datetime import datetime, timezone

    manifest = compile_path(Path(__file__).parents[2] / "feature_defs")
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE SCHEMA nyc")
    for name, table in dataset.load().items():
        connection.register("incoming", table)
        connection.execute(f"CREATE TABLE nyc.{name} AS FROM incoming")
        connection.unregister("incoming")
    return manifest, connection, to_ms(datetime(2013, 4, 15, tzinfo=timezone.utc), "start")


def week(manifest: Manifest, connection: duckdb.DuckDBPyConnection, name: str, start_ms: int, days: int) -> Week:
    """A view's week; the windows before it are computed as well, since they reach into it."""
    view = next(each for each in manifest.feature_views if each.name == name)
    keys = [key.name for key in manifest.entity(view.entity).join_keys]
    longest_ms = max(each.window_ms for each in view.aggregations)
    compute(manifest, connection, view, start_ms - longest_ms - DAY_MS, start_ms + days * DAY_MS)
    names = [feature.name for feature in view.features]
    columns = ", ".join((*keys, "epoch_ms(event_timestamp)", *names))
    end_ms = start_ms + days * DAY_MS
    found = connection.execute(
        f"SELECT {columns} FROM computed WHERE event_timestamp >= make_timestamp({start_ms} * 1000) "
        f"ORDER BY event_timestamp"
    ).fetchall()
    at = len(keys)
    rows = [OnlineRow(each[:at], each[at], each[at], each[at + 1 :]) for each in found]
    hours = range(start_ms, end_ms, HOUR_MS)
    return Week(view, rows, list(dense(manifest, connection, view, hours)))


def compute(
    manifest: Manifest, connection: duckdb.DuckDBPyConnection, view: FeatureView, from_ms: int, to_ms_: int
) -> None:
    """Run the view's own query over all its grid times; its answer is table ``computed``."""
    features = ", ".join(f"{each.name} {_NATIVE[each.dtype]}" for each in view.features)
    entity, source = manifest.entity(view.entity), manifest.source(view.source)
    keys = ", ".join(f"{key.name} {_NATIVE[key.dtype]}" for key in entity.join_keys)
    times = ", ".join(f"{name} timestamp" for name in ("event_timestamp", "created_timestamp", "available_timestamp"))
    for table in (history_table(view.name, view.version), staging_table(view.name, view.version)):
        connection.execute(f"CREATE TABLE {table} ({keys}, {times}, {features}, event_date varchar, run varchar)")
    query = render(expressions(view, entity, source)["compute"], "duckdb")
    values: dict[str, int | str] = {
        "from_ms": from_ms,
        "to_ms": to_ms_,
        "on_time_ms": from_ms,
        "now_ms": to_ms_,
        "known_ms": to_ms_,
        "from_date": "2013-01-01",
        "to_date": "2014-01-31",
        "source_from_date": "2013-01-01",
        "source_to_date": "2014-01-31",
    }
    connection.execute(f"CREATE OR REPLACE TABLE computed AS {bind(query, values)}")


def dense(
    manifest: Manifest,
    connection: duckdb.DuckDBPyConnection,
    view: FeatureView,
    hours: range,
) -> Iterator[int]:
    """Per hour, how many entities have an event in the longest window: counted from the events themselves."""
    source = manifest.source(view.source)
    keys = [key.name for key in manifest.entity(view.entity).join_keys]
    longest_ms = max(each.window_ms for each in view.aggregations)
    where = f"({view.where}) AND " if view.where else ""
    not_null = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    for hour_ms in hours:
        counted: Any = connection.execute(
            f"SELECT count(DISTINCT ({', '.join(keys)})) FROM {source.table} WHERE {where}{not_null} AND "
            f"epoch_ms({source.timestamp_field}) > {hour_ms - longest_ms} AND "
            f"epoch_ms({source.timestamp_field}) <= {hour_ms}"
        ).fetchone()
        yield int(counted[0])

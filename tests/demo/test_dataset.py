"""The example data set: times that hold together, and nothing known before its time."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from examples.flights import dataset

NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=timezone.utc)
MISSING = ("", "NA")
UTC_MS = pa.timestamp("ms", tz="UTC")


@pytest.fixture(scope="module")
def then() -> dict[str, pa.Table]:
    """The tables as they were in 2013."""
    return dataset.load()


@pytest.fixture(scope="module")
def now() -> dict[str, pa.Table]:
    """The tables moved so that they end now."""
    return dataset.load(int(NOW.timestamp() * 1000))


def _raw(every: int) -> Iterator[dict[str, str]]:
    """Every so many rows of the raw file that have landed, read with the standard library alone."""
    folder: Path = dataset.folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        text = io.TextIOWrapper(archive.open(archive.namelist()[0]), encoding="utf-8")
        landed = (row for row in csv.DictReader(text) if row["arr_time"] not in MISSING)
        yield from (row for place, row in enumerate(landed) if place % every == 0)


def _zones() -> dict[str, ZoneInfo]:
    with (dataset.folder() / "airports.csv").open(encoding="utf-8") as text:
        zones = {row["faa"]: ZoneInfo(row["tzone"]) for row in csv.DictReader(text) if row["tzone"] not in MISSING}
    return zones | dict.fromkeys(("BQN", "PSE", "SJU", "STT"), ZoneInfo("America/Puerto_Rico"))


def test_every_row_of_the_raw_files_is_there(then: dict[str, pa.Table]) -> None:
    assert {name: table.num_rows for name, table in then.items()} == {
        "departures": 336_776,
        "arrivals": 328_063,
        "weather": 26_115,
        "planes": 3_322,
    }


def test_each_table_is_sorted_by_its_event_time_which_is_never_missing(then: dict[str, pa.Table]) -> None:
    for name, column in dataset.EVENT_TIMES.items():
        times = then[name][column].combine_chunks()
        assert times.type == UTC_MS
        assert times.null_count == 0
        instants = times.cast(pa.int64()).to_numpy()
        assert (instants[1:] >= instants[:-1]).all()


def test_partitions_are_the_utc_dates_of_the_event_times(then: dict[str, pa.Table]) -> None:
    for name, column in dataset.DATE_PARTITIONS.items():
        event = dataset.EVENT_TIMES[name]
        for row in then[name].select([event, column]).take(list(range(0, 328_000, 4_001))).to_pylist():
            assert row[column] == row[event].date().isoformat()


def test_arrivals_agree_with_the_clocks_at_the_destination(then: dict[str, pa.Table]) -> None:
    """A sample against plain Python: of all days around the departure, the landing that fits the time in the air."""
    zones = _zones()
    found = {
        (row["sched_departure"], row["carrier"], row["flight"], row["origin"]): row["arrived_at"]
        for row in then["arrivals"].select(["sched_departure", "carrier", "flight", "origin", "arrived_at"]).to_pylist()
    }
    checked = 0
    for row in _raw(every=211):
        if row["air_time"] in MISSING:
            continue
        hour = datetime.fromisoformat(row["time_hour"])
        scheduled = hour + timedelta(minutes=int(row["minute"]))
        left = scheduled + timedelta(minutes=float(row["dep_delay"]))
        clock = timedelta(hours=int(float(row["arr_time"])) // 100, minutes=int(float(row["arr_time"])) % 100)
        day = left.astimezone(zones[row["dest"]]).replace(hour=0, minute=0, tzinfo=None)
        landings = [
            (day + timedelta(days=offset) + clock).replace(tzinfo=zones[row["dest"]]).astimezone(timezone.utc)
            for offset in (-1, 0, 1, 2)
        ]
        flown = timedelta(minutes=float(row["air_time"]))
        fitting = [each for each in landings if timedelta(0) <= each - left - flown < timedelta(hours=12)]
        assert [found[scheduled, row["carrier"], int(row["flight"]), row["origin"]]] == fitting
        checked += 1
    assert checked > 1_500


def test_taxiing_takes_minutes_not_hours(then: dict[str, pa.Table]) -> None:
    """A wrong day or time zone anywhere would show here."""
    arrivals = then["arrivals"].select(["departed_at", "arrived_at", "air_time"]).to_pandas().dropna()
    taxiing = (arrivals["arrived_at"] - arrivals["departed_at"]).dt.total_seconds() / 60 - arrivals["air_time"]
    assert taxiing.min() == 5
    assert taxiing.max() == 235


def test_departures_know_nothing_of_the_landing(then: dict[str, pa.Table]) -> None:
    assert not {"arr_delay", "arr_del15", "air_time", "arrived_at"} & set(then["departures"].column_names)


def test_weather_is_reported_after_it_was_observed(then: dict[str, pa.Table]) -> None:
    weather = then["weather"].select(["observed_at", "reported_at"]).to_pandas()
    minutes = (weather["reported_at"] - weather["observed_at"]).dt.total_seconds() / 60
    assert (minutes.min(), minutes.max()) == (5, 50)


def test_cancelled_flights_never_left(then: dict[str, pa.Table]) -> None:
    departures = then["departures"].to_pandas()
    cancelled = departures[departures["cancelled"]]
    assert len(cancelled) == 8_255
    assert cancelled["dep_delay"].isna().all()
    assert (cancelled["departed_at"] == cancelled["sched_departure"]).all()


def test_moved_data_end_now(now: dict[str, pa.Table]) -> None:
    known = {"departures": "departed_at", "arrivals": "arrived_at", "weather": "reported_at"}
    for name, column in known.items():
        last = max(now[name][column].to_pylist()[-500:])
        assert NOW - timedelta(hours=3) < last <= NOW


def test_moved_data_keep_weekdays_and_hours(then: dict[str, pa.Table], now: dict[str, pa.Table]) -> None:
    shift = now["departures"]["departed_at"][0].as_py() - then["departures"]["departed_at"][0].as_py()
    assert shift % timedelta(weeks=1) == timedelta(0)
    assert now["departures"].num_rows > 330_000
    before: Any = then["departures"].slice(0, now["departures"].num_rows).drop_columns(["departed_on"])
    after: Any = now["departures"].drop_columns(["departed_on"])
    for name in before.column_names:
        if before[name].type != UTC_MS:
            assert before[name].equals(after[name])
    assert (after["departed_at"].to_pandas() - before["departed_at"].to_pandas()).unique() == [shift]


def test_entity_rows_are_the_flights_that_left_an_hour_before_they_were_to_leave(now: dict[str, pa.Table]) -> None:
    rows = dataset.entity_rows(now).to_pandas()
    assert list(rows) == ["origin", "dest", "carrier", "tailnum", "sched_departure", "event_timestamp", "dep_delay"]
    assert not rows.isna().any(axis=None)
    assert ((rows["sched_departure"] - rows["event_timestamp"]) == timedelta(hours=1)).all()
    assert (rows["event_timestamp"] < rows["sched_departure"] + rows["dep_delay"] * timedelta(minutes=1)).all()

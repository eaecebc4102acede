"""How the window computation grows with its events, where one entity owns a tenth of them.

Beside it, the shape that suggests itself: each due row joined with the events in its window. Both answer the same
question (count, mean and maximum over 1 h and 24 h, each minute of 30 days) on DuckDB with one thread. Times are
medians, and a ratio is to half as many events: 2 is linear, 4 is quadratic.

Run: ``python -m benchmarks.windows``
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import duckdb

from asof.manifest import Aggregation, BatchSource, Column, Entity, Feature, FeatureView
from asof.sql.binding import bind
from asof.sql.dialects import render
from asof.sql.queries import expressions

MINUTE = 60_000
HOUR = 60 * MINUTE
DAYS = 30
REPEATS = 5
SIZES = (20_000, 40_000, 80_000, 160_000)
NAIVE_UP_TO = 160_000

ENTITY = Entity("sensor", (Column("sensor", "Int64"),))
SOURCE = BatchSource(
    name="readings",
    table=None,
    path="s3://bucket/readings/",
    timestamp_field="measured",
    created_timestamp_column=None,
    date_partition_column=None,
    lateness_ms=0,
    columns=(Column("sensor", "Int64"), Column("level", "Float64")),
)
AGGREGATIONS = tuple(
    Aggregation(f"{function}_{hours}h", function, column, hours * HOUR)
    for hours in (1, 24)
    for function, column in (("count", None), ("mean", "level"), ("max", "level"))
)
VIEW = FeatureView(
    name="levels",
    version=1,
    entity="sensor",
    source="readings",
    kind="aggregation",
    features=tuple(Feature(each.feature, "Int64" if each.function == "count" else "Float64") for each in AGGREGATIONS),
    aggregations=AGGREGATIONS,
    step_ms=MINUTE,
)
PARAMETERS: dict[str, int | str] = {
    "from_ms": 0,
    "to_ms": DAYS * 24 * HOUR,
    "on_time_ms": 0,
    "now_ms": DAYS * 24 * HOUR,
    "known_ms": DAYS * 24 * HOUR,
    "from_date": "1970-01-01",
    "to_date": "1970-12-31",
}

NAIVE = f"""
    WITH candidates AS (
        SELECT DISTINCT sensor, changed + (-changed % {MINUTE} + {MINUTE}) % {MINUTE} AS due
        FROM (
            SELECT sensor, epoch_ms(measured) + w AS changed
            FROM src_readings, (VALUES (0), ({HOUR}), ({24 * HOUR})) AS windows(w)
        )
    )
    SELECT c.sensor, due,
           count(CASE WHEN epoch_ms(measured) > due - {HOUR} THEN 1 END),
           avg(CASE WHEN epoch_ms(measured) > due - {HOUR} THEN level END),
           max(CASE WHEN epoch_ms(measured) > due - {HOUR} THEN level END),
           count(r.sensor), avg(level), max(level)
    FROM candidates AS c LEFT JOIN src_readings AS r
      ON r.sensor = c.sensor AND epoch_ms(measured) > due - {24 * HOUR} AND epoch_ms(measured) <= due
    WHERE due < {DAYS * 24 * HOUR}
    GROUP BY ALL
"""


def database(events: int) -> duckdb.DuckDBPyConnection:
    """Events spread over the days; sensor 0 owns a tenth, a thousand others share the rest."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        f"""
        CREATE TABLE src_readings AS
        SELECT CASE WHEN i % 10 = 0 THEN 0 ELSE 1 + (hash(i) % 1000)::bigint END AS sensor,
               make_timestamp((hash(i * 7 + 1) % {DAYS * 24 * HOUR})::bigint * 1000) AS measured,
               (hash(i * 13 + 5) % 8000) / 8.0 AS level
        FROM range({events}) AS numbers(i)
        """
    )
    features = ", ".join(f"{each.name} {'bigint' if each.dtype == 'Int64' else 'double'}" for each in VIEW.features)
    connection.execute(
        f"CREATE TABLE levels_v1 (sensor bigint, event_timestamp timestamp, created_timestamp timestamp, "
        f"available_timestamp timestamp, {features}, event_date varchar, run varchar)"
    )
    return connection


def median(action: Callable[[], int]) -> tuple[float, int]:
    """The median of the action's seconds, and what it returns."""
    times, result = [], 0
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - started)
    return statistics.median(times), result


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> Callable[[], int]:
    """An action that runs the query to its end and returns how many rows it gave."""

    def run() -> int:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE result AS {query}")
        counted = connection.execute("SELECT count(*) FROM result").fetchone()
        return int(counted[0]) if counted else 0

    return run


def ratio(seconds: float, half: float) -> str:
    """The growth since half as many events; nothing in the first line."""
    return f"{seconds / half:.1f}" if half else ""


def main() -> None:
    """Print a table of seconds and ratios."""
    compute = bind(render(expressions(VIEW, ENTITY, SOURCE)["compute"], "duckdb"), PARAMETERS)
    print(f"{'events':>10} {'rows':>10} {'asof s':>8} {'ratio':>6} {'range join s':>13} {'ratio':>6}")
    last, last_naive = 0.0, 0.0
    for events in SIZES:
        connection = database(events)
        seconds, rows = median(rows_of(connection, compute))
        line = f"{events:>10,} {rows:>10,} {seconds:>8.2f} {ratio(seconds, last):>6}"
        last = seconds
        if events <= NAIVE_UP_TO:
            naive, naive_rows = median(rows_of(connection, NAIVE))
            if naive_rows != rows:
                raise SystemExit(f"the two disagree: {rows} and {naive_rows} rows")
            line += f" {naive:>13.2f} {ratio(naive, last_naive):>6}"
            last_naive = naive
        print(line)


if __name__ == "__main__":
    main()

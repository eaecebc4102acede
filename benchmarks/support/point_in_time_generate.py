"""Generates histories and entity rows for the point-in-time benchmark: Parquet as Asof's writer lays it out."""

from __future__ import annotations

import duckdb

from benchmarks.support.point_in_time_data import DAY_MS, DELAY_MS, RUN, SPAN_MS, START_MS, Data
from benchmarks.support.point_in_time_oracle import write_expected


def generate(data: Data) -> None:
    """Writes the files, if they are not there: sorted by key and event time within a day, ZSTD.

    The same seed gives the same rows. The right answers are written beside them.
    """
    done = data.folder / "done"
    if done.exists():
        return
    data.folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET threads = 1")  # so that a day is one file, in order
        layout = "FORMAT parquet, COMPRESSION zstd"
        for view in range(data.views):
            target = f"'{data.history(view)}' ({layout}, PARTITION_BY (event_date, run))"
            connection.execute(f"COPY ({_history(data, view)}) TO {target}")
        connection.execute(f"COPY ({_entity_rows(data)}) TO '{data.labels}' ({layout})")
    for as_of in ("event", "served"):
        write_expected(data, as_of)
    done.touch()


def _history(data: Data, view: int) -> str:
    owned = round(data.per_view * data.owner)
    others = min(data.rows_per_entity, max(1, data.per_view - owned))
    chance = f"hash(i * 1000 + {view} + {data.seed} * 7)"
    features = ", ".join(
        f"(hash(i * 1000 + {100 + view * 50 + each} + {data.seed}) % 1000000 / 1000.0)::DOUBLE AS f{each}"
        for each in range(data.features)
    )
    # Each entity's events are spread evenly over the span with one in each gap, so that no two fall together.
    return f"""
        SELECT user_id, event_timestamp,
            event_timestamp + to_milliseconds(late_ms) AS created_timestamp,
            created_timestamp + to_milliseconds({DELAY_MS}) AS available_timestamp, {features},
            strftime(event_timestamp, '%Y-%m-%d') AS event_date, '{RUN}' AS run
        FROM (
            SELECT i,
                CASE WHEN i < {owned} THEN 0 ELSE (i - {owned}) // {others} + {1 if owned else 0} END AS user_id,
                CASE WHEN i < {owned} THEN i ELSE (i - {owned}) % {others} END AS place,
                CASE WHEN i < {owned} THEN {SPAN_MS // max(1, owned)} ELSE {SPAN_MS // others} END AS gap_ms,
                epoch_ms(({START_MS} + place * gap_ms + {chance} % gap_ms)::BIGINT) AS event_timestamp,
                CASE WHEN {chance} // 1000 % 10000 < {data.late * 10_000}
                    THEN ({chance} // 1000000 % {DAY_MS})::BIGINT ELSE 0 END AS late_ms
            FROM range({data.per_view}) AS rows(i)
        )"""


def _entity_rows(data: Data) -> str:
    chance = f"hash(i * 1000 + 999 + {data.seed} * 13)"
    owned, span = round(data.entity_rows * data.owner), data.label_days * DAY_MS
    return f"""
        SELECT i AS row_id,
            CASE WHEN i < {owned} THEN 0 ELSE ({chance} % {data.entities})::BIGINT END AS user_id,
            epoch_ms(({START_MS + SPAN_MS - span} + {chance} // 1000000 % {span})::BIGINT) AS label
        FROM range({data.entity_rows}) AS rows(i)"""

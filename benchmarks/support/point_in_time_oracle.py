"""The right answers of the point-in-time benchmark, by a search in sorted arrays that no contestant shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.support.point_in_time_data import DAY_MS, Data

_INSTANT: Final = {"served": "available_timestamp", "event": "event_timestamp"}


def write_expected(data: Data, as_of: str) -> None:
    """Writes ``data.expected(as_of)``: the chosen row of every entity row, NULL where there is none or it has expired.

    An entity's rows are walked back from its last one at or before the label until one is visible. No two events of
    an entity are at the same time, so the first that is found is the chosen one.
    """
    labels = pq.read_table(data.labels)
    user, label = labels["user_id"].to_numpy(), _ms(labels["label"])
    answer = {"row_id": labels["row_id"]}
    for view in range(data.views):
        history = pq.read_table(data.history(view), columns=["user_id", "event_timestamp", "available_timestamp"])
        owner, event = history["user_id"].to_numpy(), _ms(history["event_timestamp"])
        visible = _ms(history[_INSTANT[as_of]])
        order = np.lexsort((event, owner))
        owner, event, visible = owner[order], event[order], visible[order]
        chosen = _last(owner, event, user, label)
        pending = chosen >= 0
        while pending.any():
            place = chosen[pending]
            seen = (owner[place] == user[pending]) & (visible[place] <= label[pending])
            gone = owner[place] != user[pending]
            chosen[pending] = np.where(seen, place, np.where(gone, -1, place - 1))
            pending[pending] = ~seen & ~gone
            pending &= chosen >= 0
        if data.ttl_days:
            chosen[(chosen >= 0) & (event[chosen] < label - data.ttl_days * DAY_MS)] = -1
        rows = pa.array(np.where(chosen >= 0, order[chosen], 0), mask=chosen < 0)
        for name in data.feature_names:
            values = pq.read_table(data.history(view), columns=[name])[name].combine_chunks()
            answer[f"view{view}__{name}"] = values.take(rows)
    pq.write_table(pa.table(answer), data.expected(as_of))


def wrong_rows(data: Data, as_of: str, answer: Path) -> int:
    """How many entity rows an answer (Parquet) has wrong, missing, doubled, or made up; their order is free."""
    differs = " OR ".join(f"e.{each} IS DISTINCT FROM a.{each}" for each in data.outputs)
    expected = data.expected(as_of)
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT count(DISTINCT e.row_id) FILTER (a.row_id IS NULL OR {differs}), count(DISTINCT a.row_id) "
            f"FROM '{expected}' AS e LEFT JOIN '{answer}' AS a ON e.row_id = a.row_id"
        ).fetchall()[0]
        given = connection.execute(f"SELECT count(*) FROM '{answer}'").fetchall()[0][0]
    return int(found[0] + given - found[1])


def _last(owner: Any, event: Any, user: Any, label: Any) -> Any:
    """The place of each user's last event at or before the label, or of another user's before it; -1 before all."""
    # One sort of both sides together; at the same instant events come first.
    both_users, both_times = np.concatenate((owner, user)), np.concatenate((event, label))
    is_label = np.repeat((False, True), (len(owner), len(user)))
    order = np.lexsort((is_label, both_times, both_users))
    before = np.cumsum(~is_label[order]) - 1
    places = np.empty(len(order), np.int64)
    places[order] = before
    return places[len(owner) :]


def _ms(column: pa.ChunkedArray) -> Any:
    return column.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()

"""What the benchmark on Trino takes for the least that must be read."""

from __future__ import annotations

from pathlib import Path

from asof.clock import DAY_MS
from benchmarks.support.point_in_time_data import START_MS, Data
from benchmarks.support.point_in_time_lake import FOOTER, needed_bytes


def test_needed_are_the_days_that_labels_can_see(tmp_path: Path) -> None:
    """Columns of the question and footers, of the days from the first label less the ttl to the last label.

    By Asof's own rule the question is of when rows were available, too.
    """
    data = Data(tmp_path, 1, 1, 1, features=1, ttl_days=1)
    columns = dict.fromkeys(("user_id", "event_timestamp", "created_timestamp", "f0", FOOTER), 1)
    day = columns | {"available_timestamp": 1_000}
    days = ("2023-08-30", "2023-08-31", "2023-09-01", "2023-09-02")
    history = dict.fromkeys(days, day)
    rows = {"row_id": 10, "user_id": 10, "event_timestamp": 10, "label_s": 1_000, FOOTER: 10}
    label = START_MS + DAY_MS  # START_MS is of 2023-08-31
    assert needed_bytes(history, rows, data, (label, label), "event") == 2 * len(columns) + 40
    assert needed_bytes(history, rows, data, (label, label), "served") == 2 * len(columns) + 2_000 + 40

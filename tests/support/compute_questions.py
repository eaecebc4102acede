"""What counts, quarantine, check and latest must answer, in plain Python; and what they are asked about."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from asof.manifest import Entity, Feature, FeatureView
from tests.support.compute_cases import source
from tests.support.compute_ground import at
from tests.support.window_oracle import Case, Keys, Row, Work, grid_times, rank

LatestRow = tuple[Keys, int, int, tuple[Any, ...], str]
"""A stored row: keys, event and created ms, values, and the run that wrote it."""

LATEST_ROWS = st.tuples(
    st.sampled_from([("a", 1), ("a", 1), ("a", 12), ("a#b", 12), ("", 1)]),
    st.integers(0, 1),
    st.integers(0, 2),
    st.tuples(st.sampled_from([None, math.nan, -math.inf, 0.5, 2.0]), st.sampled_from([None, "", "z"])),
    st.sampled_from(["r1-x", "r1-x", "r1-y", "r10-x", "r2"]),
)


def in_work(case: Case, instant: int, work: Work) -> bool:
    """Whether an event time enters at one of the run's grid times."""
    return any(at - case.view.step_ms < instant <= at for at in grid_times(case, work.from_ms, work.to_ms))


def created_of(case: Case, row: Row) -> int:
    """When a row became known, in milliseconds: its event time where nothing says otherwise."""
    instant = row["made"] if case.has_created and row["made"] is not None else row["happened"]
    return int(instant) // 1000


def without_key(case: Case, rows: Sequence[Row], work: Work) -> list[Row]:
    """The rows of the run's interval that lack a key and exist for the run."""
    return [
        row
        for row in rows
        if any(row[key.name] is None for key in case.entity.join_keys)
        and case.keep(row)
        and in_work(case, row["happened"] // 1000, work)
        and max(row["happened"] // 1000, created_of(case, row)) <= work.known_ms
    ]


def too_late(case: Case, rows: Sequence[Row], work: Work) -> list[Row]:
    """The rows known at an on-time grid time of the run, with event times before everything it computes anew."""
    oldest = work.from_ms - case.view.step_ms
    on_time = dataclasses.replace(work, from_ms=max(work.from_ms, work.on_time_ms))
    return [
        row
        for row in rows
        if case.has_created
        and case.keep(row)
        and in_work(case, created_of(case, row), on_time)
        and row["happened"] // 1000 <= oldest
    ]


def view_of(entity: Entity, *kinds: str) -> Case:
    """A passthrough view of features of these types."""
    features = tuple(Feature(f"v{i}", kind) for i, kind in enumerate(kinds))
    view = FeatureView("seen", 1, entity.name, "events", "passthrough", features)
    return Case(view, entity, source(entity, created=True))


def latest_rows(case: Case, rows: Sequence[LatestRow]) -> list[dict[str, Any]]:
    """Stored rows as the history's table holds them."""
    return [
        {
            **{key.name: value for key, value in zip(case.entity.join_keys, keys, strict=True)},
            "event_timestamp": at(event * 1000),
            **dict.fromkeys(("created_timestamp", "available_timestamp"), at(created * 1000)),
            **{feature.name: value for feature, value in zip(case.view.features, values, strict=True)},
            "event_date": at(event * 1000).date().isoformat(),
            "run": run,
        }
        for keys, event, created, values, run in rows
    ]


def newest_rows(rows: Sequence[LatestRow], run: str) -> dict[Keys, tuple[int, int, tuple[Any, ...]]]:
    """Of the runs whose names begin with ``run``, the row of greatest event, created and values, by keys."""
    newest: dict[Keys, tuple[Any, ...]] = {}
    for keys, event, created, values, name in rows:
        chosen = (event, created, rank(values), values)
        if name.startswith(run) and (keys not in newest or chosen[:3] > newest[keys][:3]):
            newest[keys] = chosen
    return {keys: (event, created, values) for keys, (event, created, _, values) in newest.items()}

"""What a run must emit, in plain Python: loops over events and grid times, no SQL, no data frames.

Deliberately naive, and written from the semantics page alone: every entity is looked at on every grid time, every
window is a scan over all events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asof.manifest import Aggregation, BatchSource, Entity, FeatureView

Row = Mapping[str, Any]
"""A source row by column; instants are integer microseconds (or None), so that flooring can be tested."""

Keys = tuple[Any, ...]


@dataclass(frozen=True)
class Event:
    """A source row that exists for a run; times in milliseconds."""

    keys: Keys
    event: int
    created: int
    row: Row


@dataclass(frozen=True)
class Emitted:
    """A row of the history; times in milliseconds, values in declared order."""

    keys: Keys
    event: int
    created: int
    available: int
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Work:
    """What a run is given: half-open grid times, and the three instants of its clock."""

    from_ms: int
    to_ms: int
    on_time_ms: int
    now_ms: int
    known_ms: int


@dataclass(frozen=True)
class Case:
    """A view with everything it needs; ``keep`` is its ``where`` in Python."""

    view: FeatureView
    entity: Entity
    source: BatchSource
    keep: Callable[[Row], bool] = lambda _row: True

    @property
    def has_created(self) -> bool:
        """Whether the source says when its rows became known."""
        return self.source.created_timestamp_column is not None


def known_events(case: Case, rows: Sequence[Row], known_ms: int) -> list[Event]:
    """The rows with all keys that the view keeps and that exist at ``known_ms``."""
    found = []
    for row in rows:
        keys = tuple(row[key.name] for key in case.entity.join_keys)
        event = row[case.source.timestamp_field] // 1000
        created = row[str(case.source.created_timestamp_column)] if case.has_created else None
        created = event if created is None else created // 1000
        if None not in keys and case.keep(row) and event <= known_ms and (created <= known_ms or not case.has_created):
            found.append(Event(keys, event, created, row))
    return found


def grid_times(case: Case, from_ms: int, to_ms: int) -> list[int]:
    """The grid times in the half-open interval."""
    return [at for at in range(from_ms, to_ms) if (at - case.view.offset_ms) % case.view.step_ms == 0]


def dense(case: Case, events: Sequence[Event], keys: Keys, at: int) -> tuple[Any, ...]:
    """The values of one entity at one grid time, computed from its events alone."""
    own = [each for each in events if each.keys == keys]
    by_feature = {each.feature: each for each in case.view.aggregations}
    values = []
    for feature in case.view.features:
        value = _aggregate(by_feature[feature.name], own, at)
        is_float = value is None and feature.default is not None and feature.dtype == "Float64"
        default = float(feature.default) if is_float else feature.default  # JSON has no infinity
        values.append(default if value is None else value)
    return tuple(values)


def computed_windows(case: Case, events: Sequence[Event], work: Work) -> dict[tuple[Keys, int], tuple[int, Any]]:
    """``(keys, grid time) -> (available, values)`` wherever a window's content can have changed."""
    step, delay = case.view.step_ms, case.view.publish_delay_ms
    windows = {each.window_ms for each in case.view.aggregations}
    out: dict[tuple[Keys, int], tuple[int, Any]] = {}
    for keys in {each.keys for each in events}:
        own = [each for each in events if each.keys == keys]
        for at in grid_times(case, work.from_ms, work.to_ms):
            entered = any(at - step < each.event <= at for each in own)
            left = any(at - step - w < each.event <= at - w for each in own for w in windows)
            if entered or left:
                inside = [each.created for each in own if at - max(windows) < each.event <= at]
                newest = max([at, *inside]) if case.has_created else at
                out[keys, at] = (newest + delay, dense(case, own, keys, at))
    return out


def run_windows(case: Case, rows: Sequence[Row], history: Sequence[Emitted], work: Work) -> list[Emitted]:
    """What a run of an aggregation view emits."""
    events = known_events(case, rows, work.known_ms)
    emitted = []
    for (keys, at), (available, values) in computed_windows(case, events, work).items():
        stored = newest_stored(history, keys, at)
        if stored is None:
            late = at < work.on_time_ms
            served = max(available, work.now_ms) if late else available
            emitted.append(Emitted(keys, at, work.now_ms, served, values))
        elif not same_values(case, values, stored.values):
            created = max(work.now_ms, stored.created + 1)
            emitted.append(Emitted(keys, at, created, max(available, work.now_ms), values))
    return emitted


def run_rows(case: Case, rows: Sequence[Row], history: Sequence[Emitted], work: Work) -> list[Emitted]:
    """What a run of a passthrough view emits."""
    step, delay = case.view.step_ms, case.view.publish_delay_ms
    versions: dict[tuple[Keys, int], dict[int, tuple[Any, ...]]] = {}
    for each in known_events(case, rows, work.known_ms):
        if any(at - step < each.event <= at for at in grid_times(case, work.from_ms, work.to_ms)):
            values = tuple(_stored(each.row[feature.name], feature.dtype) for feature in case.view.features)
            own = versions.setdefault((each.keys, each.event), {})
            created = each.created if case.has_created else work.now_ms
            if created not in own or rank(values) > rank(own[created]):
                own[created] = values
    emitted = []
    for (keys, event), own in versions.items():
        stored = newest_stored(history, keys, event)
        late = stored is not None or _grid_ceil(case, event) < work.on_time_ms
        for created, values in own.items():
            served = max(event, created if case.has_created else event) + delay
            available = max(served, work.now_ms) if late else served
            stamp = _stamp(case, stored, created, values, newest=created == max(own), now_ms=work.now_ms)
            if stamp is not None:
                emitted.append(Emitted(keys, event, stamp, available, values))
    return emitted


def _stamp(
    case: Case, stored: Emitted | None, created: int, values: tuple[Any, ...], *, newest: bool, now_ms: int
) -> int | None:
    """The created time a source row gets in the history; None where it does not go there."""
    if stored is None or (case.has_created and created > stored.created):
        return created
    if not newest or same_values(case, values, stored.values):
        return None
    if case.has_created and created == stored.created and rank(values) < rank(stored.values):
        return None
    return max(now_ms, stored.created + 1)


def newest_stored(history: Sequence[Emitted], keys: Keys, event: int) -> Emitted | None:
    """The stored row of the keys and event time that was created last."""
    rows = [each for each in history if each.keys == keys and each.event == event]
    return max(rows, key=lambda each: (each.created, rank(each.values)), default=None)


def carried_forward(history: Sequence[Emitted], keys: Keys, at: int) -> Emitted | None:
    """The row an answer at ``at`` is given from: the greatest (event, created) up to then."""
    rows = [each for each in history if each.keys == keys and each.event <= at]
    return max(rows, key=lambda each: (each.event, each.created, rank(each.values)), default=None)


def rank(values: Sequence[Any]) -> tuple[Any, ...]:
    """Sorts as declared order does: NULL lowest, NaN highest."""
    return tuple((0, 0) if v is None else (2, 0) if isinstance(v, float) and math.isnan(v) else (1, v) for v in values)


def same_values(case: Case, left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Equality of values, NaN included; a standard deviation up to rounding."""
    functions = {each.feature: each.function for each in case.view.aggregations}
    return all(
        same_value(a, b, rounded=functions.get(feature.name) == "stddev")
        for feature, a, b in zip(case.view.features, left, right, strict=True)
    )


def same_value(left: Any, right: Any, *, rounded: bool = False) -> bool:
    """Equality of one value. Roots and quotients round differently by formula: ``rounded`` allows one part in 1e9."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return math.isclose(left, right, rel_tol=1e-9 if rounded else 0.0, abs_tol=0.0)
    return type(left) is type(right) and bool(left == right)


def _grid_ceil(case: Case, instant: int) -> int:
    at = instant
    while (at - case.view.offset_ms) % case.view.step_ms:
        at += 1
    return at


def _stored(value: Any, dtype: str) -> Any:
    return value // 1000 if dtype == "Timestamp" and value is not None else value


def _aggregate(aggregation: Aggregation, own: Sequence[Event], at: int) -> Any:
    inside = [each for each in own if at - aggregation.window_ms < each.event <= at]
    if aggregation.column is None:
        return len(inside)
    column = aggregation.column
    present = [(each.event, each.created, each.row[column]) for each in inside if each.row[column] is not None]
    if column.endswith("_at"):  # the naming of instants in the tests' sources
        present = [(event, created, value // 1000) for event, created, value in present]
    return _FUNCTIONS[aggregation.function](present)


_Present = list[tuple[int, int, Any]]


def _extreme(present: _Present, choose: Callable[[Any], Any]) -> Any:
    values = [value for _, _, value in present]
    numbers = [value for value in values if not (isinstance(value, float) and math.isnan(value))]
    if numbers:
        return choose(numbers)
    return values[0] if values else None


def _endmost(present: _Present, choose: Callable[..., Any]) -> Any:
    return choose(present, key=lambda each: (each[0], each[1], rank(each[2:])))[2] if present else None


def _sum(present: _Present) -> Any:
    return sum(value for _, _, value in present) if present else None


def _mean(present: _Present) -> Any:
    return float(_sum(present)) / len(present) if present else None


def _stddev(present: _Present) -> Any:
    if len(present) < 2:
        return None
    values = [float(value) for _, _, value in present]
    if len(set(values)) == 1 and math.isfinite(values[0]):
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


_FUNCTIONS: Mapping[str, Callable[[_Present], Any]] = {
    "count": len,
    "sum": _sum,
    "mean": _mean,
    "stddev": _stddev,
    "min": lambda present: _extreme(present, min),
    "max": lambda present: _extreme(present, max),
    "last": lambda present: _endmost(present, max),
    "first": lambda present: _endmost(present, min),
    "count_distinct": lambda present: len({str(value) for _, _, value in present}),
}

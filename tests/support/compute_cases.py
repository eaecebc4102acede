"""The views the compute queries are tried on, and generated sources for them.

Steps and windows are a few milliseconds long: nothing in the rules depends on their size, and the oracle may then look
at every millisecond. Time begins just before a midnight, so that rows fall on two dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import strategies as st

from asof.manifest import Aggregation, BatchSource, Column, Entity, Feature, FeatureView
from tests.support.window_oracle import Case

START_MS = 1_709_251_140_000 + 59_900
"""2024-02-29T23:59:59.900Z."""

_TYPES = {"x": "Float64", "d": "Int64", "s": "String", "seen_at": "Timestamp", "flag": "Bool", "day": "Date"}

ROUTE = Entity("route", (Column("origin", "String"), Column("no", "Int64")))
CARRIER = Entity("carrier", (Column("carrier", "String"),))


def source(entity: Entity, *, created: bool) -> BatchSource:
    """A source of an entity, with or without a created column, with one value column per type."""
    columns = (*entity.join_keys, Column("kind", "String"), *(Column(name, kind) for name, kind in _TYPES.items()))
    return BatchSource(
        name="events",
        table=None,
        path="s3://bucket/events/",
        timestamp_field="happened",
        created_timestamp_column="made" if created else None,
        date_partition_column="dt",
        lateness_ms=20,
        columns=columns,
    )


def windows(
    entity: Entity,
    *specs: tuple[str, str | None, int],
    created: bool,
    step: int,
    offset: int = 0,
    delay: int = 0,
    defaults: Mapping[str, Any] | None = None,
    where: str | None = None,
) -> Case:
    """An aggregation view of ``(function, column, window)`` features."""
    aggregations, features = [], []
    for place, (function, column, window) in enumerate(specs):
        name = f"{function}_{column}_{place}"
        kind = _TYPES[column] if column else "Int64"
        if function in ("count", "count_distinct"):
            kind = "Int64"
        elif function in ("mean", "stddev"):
            kind = "Float64"
        aggregations.append(Aggregation(name, function, column, window))
        features.append(Feature(name, kind, default=(defaults or {}).get(function)))
    view = FeatureView(
        name="busy",
        version=2,
        entity=entity.name,
        source="events",
        kind="aggregation",
        features=tuple(features),
        aggregations=tuple(aggregations),
        where=where,
        step_ms=step,
        offset_ms=offset,
        publish_delay_ms=delay,
    )
    keep = (lambda row: row["kind"] is None or row["kind"] != "it's") if where else (lambda _row: True)
    return Case(view, entity, source(entity, created=created), keep)


_WHERE = "kind IS NULL OR kind <> 'it''s'"

WINDOWS = {
    "numbers": windows(
        ROUTE,
        ("count", None, 10),
        ("count", "x", 25),
        ("sum", "x", 60),
        ("sum", "d", 25),
        ("mean", "x", 10),
        ("mean", "d", 60),
        ("min", "x", 60),
        ("max", "x", 25),
        ("stddev", "x", 60),
        ("stddev", "d", 25),
        created=True,
        step=10,
        offset=3,
        delay=4,
        where=_WHERE,
    ),
    "values": windows(
        ROUTE,
        ("last", "x", 25),
        ("first", "s", 60),
        ("last", "seen_at", 60),
        ("first", "flag", 25),
        ("last", "day", 10),
        ("min", "seen_at", 25),
        ("max", "day", 60),
        ("max", "s", 10),
        ("count_distinct", "s", 25),
        ("count_distinct", "x", 60),
        ("count_distinct", "flag", 10),
        created=True,
        step=10,
    ),
    "whole numbers": windows(
        CARRIER,
        ("count", None, 20),
        ("sum", "d", 40),
        ("mean", "d", 20),
        ("count_distinct", "d", 40),
        created=False,
        step=20,
        offset=-7,
        delay=3,
        where=_WHERE,
    ),
    "shorter than a step": windows(
        CARRIER,
        ("last", "d", 7),
        ("sum", "x", 4),
        ("max", "x", 7),
        ("count", None, 7),
        created=False,
        step=10,
        defaults={"sum": -1.5, "max": "-Infinity", "last": 0},
    ),
}


def copied(entity: Entity, *, created: bool, kind: str = "passthrough", sql: str | None = None) -> Case:
    """A passthrough or SQL view of two features."""
    view = FeatureView(
        name="seen",
        version=1,
        entity=entity.name,
        source="events",
        kind="sql" if kind == "sql" else "passthrough",
        features=(Feature("x", "Float64"), Feature("s", "String"), Feature("seen_at", "Timestamp")),
        sql=sql,
        where=_WHERE,
        step_ms=10,
        offset_ms=3,
        publish_delay_ms=4,
    )
    keep = lambda row: row["kind"] is None or row["kind"] != "it's"  # noqa: E731  # beside the text it mirrors
    return Case(view, entity, source(entity, created=created), keep)


COPIED = {
    "with created": copied(ROUTE, created=True),
    "without created": copied(CARRIER, created=False),
    "by SQL": copied(
        ROUTE,
        created=True,
        kind="sql",
        sql="WITH kept AS (SELECT * FROM events) SELECT origin, no, happened, made, seen_at, x + 0 AS x, s FROM kept",
    ),
}

STRINGS = ["a#b", "a", "#", "'", '"', "%", "", "é", "\u4e2d\U0001f600", "NULL"]
_DYADIC = st.integers(-512, 512).map(lambda eighths: eighths / 8)
"""Sums of these are exact in any order, so that they can be compared to the last digit."""

VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "x": st.one_of(_DYADIC, _DYADIC, st.sampled_from([float("nan"), float("inf"), float("-inf")])),
    "d": st.integers(-3, 3) | st.sampled_from([2**53 + 1, -(2**53) - 1]),
    "s": st.sampled_from(STRINGS),
    "seen_at": st.integers(-3_000, 3_000),
    "flag": st.booleans(),
    "day": st.sampled_from([date(1969, 12, 31), date(2024, 2, 29), date(2024, 3, 1)]),
}
ENTITIES: Mapping[str, list[tuple[Any, ...]]] = {
    "route": [("a#b", 1)] * 6 + [("a", 12), ("a", 12), ("a#b", 12), ("'", -1), ("", 1), (None, 1), ("a", None)],
    "carrier": [("it's",)] * 6 + [("é#",), ("é#",), ("",), (None,)],
}
"""Most rows are of one entity, so that its windows are full; others have similar keys, or lack one."""

SPAN_MS = 150


@st.composite
def rows(draw: st.DrawFn, case: Case, max_size: int = 16, finest_us: int = 1) -> list[dict[str, Any]]:
    """Source rows: few entities and instants, so that ties, versions and full windows are common; NULL anywhere.

    Instants are multiples of ``finest_us``.
    """

    def sometimes_null(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(strategy, strategy, strategy, st.none())

    instants = st.integers(-10, SPAN_MS).map(lambda ms: (START_MS + ms) * 1000)
    columns = {
        "kind": st.sampled_from(["good", "good", "good", None, "it's"]),
        **{name: sometimes_null(strategy) for name, strategy in VALUES.items()},
        "happened": st.tuples(instants, st.sampled_from([0, 0, 1, 999])).map(sum),
        "later": st.sampled_from([None, 0, 0, 3_500, 40_000, 90_001]),
        "twin": st.sampled_from([(), (), (), ("happened",), ("happened", "later")]),
    }
    names = [key.name for key in case.entity.join_keys]
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, max_size) | st.just(max_size))):
        row = draw(st.fixed_dictionaries(columns))
        row |= zip(names, draw(st.sampled_from(ENTITIES[case.entity.name])), strict=True)
        twin, later = row.pop("twin"), row.pop("later")
        if twin and found:  # of the same entity and instant, and of the same created time or not
            row |= {name: found[-1][name] for name in (*names, "happened")}
            later = found[-1]["made"] and found[-1]["made"] - row["happened"] if "later" in twin else later
        row["made"] = None if later is None else row["happened"] + later
        found.append(row if finest_us == 1 else coarsened(row, finest_us))
    return found


def coarsened(row: dict[str, Any], finest_us: int) -> dict[str, Any]:
    """The row with its instants floored to multiples of ``finest_us``, for engines that hold no finer ones."""
    instants = {name: row[name] for name in ("happened", "made", "seen_at") if row[name] is not None}
    return row | {name: value // finest_us * finest_us for name, value in instants.items()}

"""Hypothesis strategies of point-in-time problems: small pools of keys, instants and values, so that things collide."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

from asof.manifest import Entity
from tests.support.pit_case import Case, CaseView, entity

BASE_MS = 1_700_006_400_000 - 15
"""15 ms before a UTC midnight, so that small offsets fall on two dates."""

NASTY = [
    "",
    "a",
    "A",
    "a ",
    "é",
    "e\u0301",
    "'",
    '"',
    "\\",
    ":x",
    "%",
    "a|b",
    "a,b",
    "\n",
    "\t",
    "NULL",
    "🛫",
    "a\u0000b",
]
ENTITIES = (
    entity("user", user_id="Int64"),
    entity("place", place="String"),
    entity("route", origin="String", dest="String"),
    entity("day", on="Date", Flag="Bool", k0="Int64"),
)
_MOMENTS = [datetime(1969, 12, 31, 23, 59, 59, 999000), datetime(2024, 2, 29, 12, 0, 0, 1000)]  # noqa: DTZ001  # as DuckDB has them
POOLS: dict[str, list[Any]] = {
    "Int64": [-(2**63), -1, 0, 1, 2**63 - 1],
    "Float64": [float("-inf"), -1.5, 0.0, 5e-324, 0.1, 1e300, float("inf"), float("nan")],
    "Bool": [False, True],
    "String": NASTY,
    "Timestamp": _MOMENTS,
    "Date": [date(1969, 12, 31), date(2024, 2, 29)],
    "Array<Int64>": [[], [0], [0, 1], [-1, 5]],
    "Array<String>": [[], [""], ["a", "'"], ["a"]],
    "Array<Float64>": [[], [0.5], [float("nan")]],
    "Array<Timestamp>": [[], _MOMENTS],
    "Array<Date>": [[], [date(2024, 2, 29)]],
    "Array<Bool>": [[True], [False, True]],
    "Embedding<2>": [[0.5, -1.25], [0.5, 3.0]],
}
KEY_POOLS: dict[str, list[Any]] = {
    "Int64": [1, 2, -(2**63)],
    "String": ["", "a", "a|b", "'"],
    "Date": [date(2024, 2, 29), date(2024, 3, 1)],
    "Bool": [False, True],
}


def cases(finest_us: int = 1) -> st.SearchStrategy[Case]:
    """Whole problems of one to three views over one or two entities; labels are multiples of ``finest_us``."""
    return _cases(finest_us)


@st.composite
def _cases(draw: st.DrawFn, finest_us: int) -> Case:
    entities = draw(st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=2, unique_by=lambda each: each.name))
    keys = {each.name: draw(st.lists(_keys(each), min_size=1, max_size=3)) for each in entities}
    views = []
    for i in range(draw(st.integers(1, 3))):
        of = draw(st.sampled_from(entities))
        views.append(draw(_views(f"view{i}", of, keys[of.name])))
    row_ids = draw(st.permutations(range(draw(st.integers(0, 10)))))
    return Case(
        entity_rows=[draw(_entity_rows(entities, keys, row_id)) for row_id in row_ids],
        views=views,
        as_of=draw(st.sampled_from(["served", "event"])),
        known_as_of_ms=draw(st.none() | _instants(0, 12)),
        pruned=draw(st.booleans()),
        label_micros=draw(st.sampled_from([0, 1, 999] if finest_us == 1 else [0])),
    )


def _instants(start: int, end: int) -> st.SearchStrategy[int]:
    return st.integers(start, end).map(lambda offset: BASE_MS + offset)


def _keys(of: Entity) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({key.name: st.sampled_from(KEY_POOLS[key.dtype]) for key in of.join_keys})


def _rarely(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 14)) == 14


@st.composite
def _entity_rows(draw: st.DrawFn, entities: list[Entity], keys: dict[str, list[Any]], row_id: int) -> dict[str, Any]:
    row: dict[str, Any] = {"row_id": row_id, "note": draw(st.none() | st.sampled_from(NASTY[:-1]))}
    for each in entities:
        unseen = draw(_keys(each)) if _rarely(draw) else draw(st.sampled_from(keys[each.name]))
        row |= unseen | ({each.join_keys[-1].name: None} if _rarely(draw) else {})
    return row | {"label": None if _rarely(draw) else draw(_instants(-1, 22))}


@st.composite
def _views(draw: st.DrawFn, name: str, of: Entity, keys: list[Any]) -> CaseView:
    dtypes = {f"f{i}": draw(st.sampled_from(sorted(POOLS))) for i in range(draw(st.integers(1, 3)))}
    asked = draw(st.lists(st.sampled_from(sorted(dtypes)), unique=True, max_size=3))
    defaults = {feature: draw(st.none() | st.sampled_from(POOLS[kind])) for feature, kind in dtypes.items()}
    delay = draw(st.sampled_from([0, 3]))
    rows = draw(st.lists(_feature_rows(of, keys, dtypes, delay), max_size=12))
    return CaseView(
        name,
        of,
        dtypes,
        # A feature row may be there twice, to the last value.
        rows + (rows[:2] if draw(st.booleans()) else []),
        {f"{name}__{feature}": feature for feature in asked},
        ttl_ms=draw(st.sampled_from([None, 0, 1, 3, 5, 86_400_000, 10**14])),
        publish_delay_ms=delay,
        defaults={feature: value for feature, value in defaults.items() if value is not None},
        event_output=f"{name}__event" if not asked or draw(st.booleans()) else None,
    )


@st.composite
def _feature_rows(draw: st.DrawFn, of: Entity, keys: list[Any], dtypes: dict[str, str], delay: int) -> dict[str, Any]:
    event = draw(_instants(0, 12))
    created = draw(st.none() | st.integers(0, 8).map(lambda later: event + later))
    available = max(event, created or event) + delay + draw(st.sampled_from([0, 0, 0, 1, 6]))
    # A history of Asof's has no NULL key; in another's it must not match a NULL.
    null_key = {of.join_keys[-1].name: None} if _rarely(draw) else {}
    values = {name: draw(st.none() | st.sampled_from(POOLS[kind])) for name, kind in dtypes.items()}
    times = {"event": event, "created": created, "available": available}
    return {**draw(st.sampled_from(keys)), **null_key, **times, **values}

"""Large point-in-time problems from a seed: thousands of rows, the pools of ``pit_strategies``, ties and late rows."""

from __future__ import annotations

import random
from typing import Any

from asof.clock import DAY_MS
from asof.manifest import Entity
from tests.support.pit_case import Case, CaseView
from tests.support.pit_strategies import BASE_MS, ENTITIES, KEY_POOLS, NASTY, POOLS

_SPANS_MS = (40, 5_000, 3 * DAY_MS)


def bulk_case(seed: int, entity_rows: int = 1_500, finest_us: int = 1) -> Case:
    """The problem of a seed: one to three views, each with about as many rows as there are entity rows."""
    chance = random.Random(seed)
    entities = chance.sample(ENTITIES, chance.randint(1, 2))
    keys = {each.name: [_keys(chance, each) for _ in range(chance.choice([3, 40]))] for each in entities}
    span = chance.choice(_SPANS_MS)
    views = []
    for i in range(chance.randint(2, 3)):
        of = chance.choice(entities)
        views.append(_view(chance, f"view{i}", of, keys=keys[of.name], span=span, count=entity_rows))
    return Case(
        entity_rows=[_entity_row(chance, entities, keys, row_id, span) for row_id in range(entity_rows)],
        views=views,
        as_of=chance.choice(["served", "event"]),
        known_as_of_ms=chance.choice([None, None, BASE_MS + chance.randrange(span)]),
        pruned=chance.random() < 0.5,
        label_micros=chance.choice([0, 1, 999]) if finest_us == 1 else 0,
    )


def _view(chance: random.Random, name: str, of: Entity, *, keys: list[Any], span: int, count: int) -> CaseView:
    dtypes = {f"f{i}": chance.choice(sorted(POOLS)) for i in range(chance.randint(2, 4))}
    delay = chance.choice([0, span // 10])
    rows = [_feature_row(chance, of, keys, dtypes, delay=delay, span=span) for _ in range(count)]
    return CaseView(
        name,
        of,
        dtypes,
        rows + rows[:50],
        {f"{name}__{feature}": feature for feature in dtypes},
        ttl_ms=chance.choice([None, 0, span // 4, span // 40]),
        publish_delay_ms=delay,
        defaults={feature: chance.choice(POOLS[kind]) for feature, kind in dtypes.items() if chance.random() < 0.3},
        event_output=f"{name}__event",
    )


def _keys(chance: random.Random, of: Entity) -> dict[str, Any]:
    """The edges of a key's type, and others so that there are more."""
    number = chance.randrange(1_000)
    more: dict[str, Any] = {"Int64": number, "String": f"k{number}"}
    return {
        key.name: more[key.dtype]
        if key.dtype in more and chance.random() < 0.7
        else chance.choice(KEY_POOLS[key.dtype])
        for key in of.join_keys
    }


def _feature_row(
    chance: random.Random, of: Entity, keys: list[Any], dtypes: dict[str, str], *, delay: int, span: int
) -> dict[str, Any]:
    event = BASE_MS + chance.randrange(span)
    created = chance.choice([None, event, event, event + chance.randrange(span // 3)])
    null_key = {of.join_keys[-1].name: None} if chance.random() < 0.02 else {}
    values = {
        name: None if chance.random() < 0.15 else chance.random() if kind == "Float64" else chance.choice(POOLS[kind])
        for name, kind in dtypes.items()
    }
    if chance.random() < 0.3:
        values |= {name: chance.choice(POOLS[kind]) for name, kind in dtypes.items() if kind == "Float64"}
    available = max(event, created or event) + delay
    return {**chance.choice(keys), **null_key, "event": event, "created": created, "available": available, **values}


def _entity_row(
    chance: random.Random, entities: list[Entity], keys: dict[str, list[Any]], row_id: int, span: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"row_id": row_id, "note": chance.choice([None, *NASTY[:-1]])}
    for each in entities:
        row |= _keys(chance, each) if chance.random() < 0.05 else chance.choice(keys[each.name])
        if chance.random() < 0.03:
            row[each.join_keys[-1].name] = None
    label = BASE_MS + chance.randrange(-1, span + span // 3)
    return row | {"label": None if chance.random() < 0.01 else label}

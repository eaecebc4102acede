"""Large sources from a seed, and the oracle asked entity by entity, so that thousands of events stay affordable."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from tests.support.compute_cases import SPAN_MS, START_MS, STRINGS, coarsened
from tests.support.compute_runs import Oracle
from tests.support.window_oracle import Case, Emitted, Keys, Row, Work

_ODD = (math.nan, math.inf, -math.inf)
_DAYS = (date(1969, 12, 31), date(2024, 2, 29), date(2024, 3, 1))

_VALUES: Mapping[str, Callable[[random.Random], Any]] = {
    # Sums of eighths are exact in any order, so that they can be compared to the last digit.
    "x": lambda chance: chance.choice(_ODD) if chance.random() < 0.02 else chance.randint(-512, 512) / 8,
    "d": lambda chance: chance.choice([2**53 + 1, -(2**53) - 1]) if chance.random() < 0.1 else chance.randint(-3, 3),
    "s": lambda chance: chance.choice(STRINGS),
    "seen_at": lambda chance: chance.randint(-3_000, 3_000),
    "flag": lambda chance: chance.random() < 0.5,
    "day": lambda chance: chance.choice(_DAYS),
}


def bulk_rows(case: Case, seed: int, entities: int, finest_us: int = 1) -> list[dict[str, Any]]:
    """Source rows of a seed: some thirty events per entity, a tenth of them twins, NULL anywhere, some keys missing."""
    chance = random.Random(seed)
    keys = [_keys(case, place) for place in range(entities)]
    found: list[dict[str, Any]] = []
    for _ in range(30 * entities):
        row: dict[str, Any] = {
            name: None if chance.random() < 0.2 else value(chance) for name, value in _VALUES.items()
        }
        row |= chance.choice(keys) | {"kind": chance.choice(["good", "good", "good", None, "it's"])}
        row["happened"] = (START_MS + chance.randint(-10, SPAN_MS)) * 1000 + chance.choice([0, 0, 1, 999])
        if found and chance.random() < 0.1:
            row |= {name: found[-1][name] for name in (*keys[0], "happened")}
        later = chance.choice([None, 0, 0, 0, 3_500, 40_000, 90_001])
        row["made"] = None if later is None else row["happened"] + later
        if chance.random() < 0.01:
            row[case.entity.join_keys[0].name] = None
        found.append(row if finest_us == 1 else coarsened(row, finest_us))
    return found


def _keys(case: Case, place: int) -> dict[str, Any]:
    texts = {"String": f"{STRINGS[place % len(STRINGS)]}{place // 2}", "Int64": place % 3}
    return {key.name: texts[key.dtype] for key in case.entity.join_keys}


def by_entity(oracle: Oracle) -> Oracle:
    """The same oracle, asked of each entity's rows alone: no entity's answer depends on another's rows."""

    def ask(case: Case, rows: Sequence[Row], history: Sequence[Emitted], work: Work) -> list[Emitted]:
        of_rows: dict[Keys, list[Row]] = {}
        of_history: dict[Keys, list[Emitted]] = {}
        for row in rows:
            of_rows.setdefault(tuple(row[key.name] for key in case.entity.join_keys), []).append(row)
        for stored in history:
            of_history.setdefault(stored.keys, []).append(stored)
        return [each for keys, own in of_rows.items() for each in oracle(case, own, of_history.get(keys, []), work)]

    return ask

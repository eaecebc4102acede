"""A naive point-in-time join in plain Python: loops over dicts, written from semantics.md, section 3, and nothing else.

Instants are integer milliseconds. A feature row is a mapping with the keys, ``event``, ``created`` (or None),
``available`` and the features; an entity row has ``row_id``, the keys, ``label`` and whatever else it carries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class OracleView:
    """A view as the oracle needs it. ``outputs`` maps output columns to features; ``declared`` orders the features."""

    keys: tuple[str, ...]
    rows: Sequence[Row]
    declared: tuple[str, ...]
    outputs: Mapping[str, str]
    ttl_ms: int | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    event_output: str | None = None


def naive_join(
    entity_rows: Sequence[Row], views: Sequence[OracleView], as_of: str, known_as_of_ms: int | None = None
) -> list[dict[str, Any]]:
    """For each entity row, in the order given, its row id and the outputs of all views."""
    of_keys = [_by_keys(view) for view in views]
    answers = []
    for entity_row in entity_rows:
        answer: dict[str, Any] = {"row_id": entity_row["row_id"]}
        for view, rows in zip(views, of_keys, strict=True):
            same = rows.get(tuple(entity_row[key] for key in view.keys), [])
            chosen = _chosen(entity_row["label"], same, view, as_of, known_as_of_ms)
            if view.event_output is not None:
                answer[view.event_output] = None if chosen is None else chosen["event"]
            for output, feature in view.outputs.items():
                answer[output] = view.defaults.get(feature) if chosen is None else chosen[feature]
        answers.append(answer)
    return answers


def _by_keys(view: OracleView) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in view.rows:
        keys = tuple(row[key] for key in view.keys)
        if None not in keys:
            groups.setdefault(keys, []).append(row)
    return groups


def _chosen(
    label: int | None, rows: Sequence[Row], view: OracleView, as_of: str, known_as_of_ms: int | None
) -> Row | None:
    best: Row | None = None
    for row in rows:
        if known_as_of_ms is not None and row["created"] is not None and row["created"] > known_as_of_ms:
            continue
        if label is None or row["available" if as_of == "served" else "event"] > label:
            continue
        if best is None or _order(row, view) > _order(best, view):
            best = row
    if label is not None and best is not None and view.ttl_ms and best["event"] < label - view.ttl_ms:
        return None
    return best


def _order(row: Row, view: OracleView) -> list[Any]:
    requested = [name for name in view.declared if name in view.outputs.values()]
    return [row["event"], sortable(row["created"]), *(sortable(row[name]) for name in requested)]


def sortable(value: Any) -> tuple[Any, ...]:
    """A stand-in that Python can compare: NULL lowest, NaN above all numbers, lists item by item."""
    if value is None:
        return (0,)
    if isinstance(value, list):
        return (1, tuple(sortable(each) for each in value))
    if isinstance(value, float) and math.isnan(value):
        return (2,)
    return (1, value)

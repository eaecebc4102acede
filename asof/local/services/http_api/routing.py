"""Which route of an API a request belongs to.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from __future__ import annotations

from collections.abc import Iterable

Match = tuple[str, dict[str, str]]
"""A route's key and the values of its path's variables."""


def find(keys: Iterable[str], method: str, path: str) -> Match | None:
    """The most specific route: literal paths before variables, a method before ANY, ``$default`` last."""
    best: tuple[tuple[int, ...], Match] | None = None
    for key in keys:
        rank: tuple[int, ...] = (9,)
        values: dict[str, str] = {}
        if key != "$default":
            wanted, _, pattern = key.partition(" ")
            matched = _matched(pattern, path)
            if wanted not in (method, "ANY") or matched is None:
                continue
            values, kinds = matched
            rank = (*kinds, 1 if wanted == "ANY" else 0)
        if best is None or rank < best[0]:
            best = rank, (key, values)
    return None if best is None else best[1]


def _matched(pattern: str, path: str) -> tuple[dict[str, str], tuple[int, ...]] | None:
    """The variables' values and, per segment, 0 for a literal, 1 for a variable and 2 for a greedy one."""
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    values: dict[str, str] = {}
    kinds: list[int] = []
    for position, part in enumerate(wanted):
        if part.startswith("{") and part.endswith("+}"):
            values[part[1:-2]] = "/".join(given[position:])
            return (values, (*kinds, 2)) if len(given) > position and given[position] else None
        if position >= len(given):
            return None
        if part.startswith("{"):
            values[part[1:-1]] = given[position]
            kinds.append(1)
        elif part != given[position]:
            return None
        else:
            kinds.append(0)
    return (values, tuple(kinds)) if len(wanted) == len(given) else None

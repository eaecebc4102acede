"""What the online benchmarks read: views of users with features that follow from a seed. Standard library only.

Peers run this in environments of their own, so nothing else is imported here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

SEED: Final = 20_260_101
USERS: Final = 300
SETS: Final = 10
"""Different sets of entities that a measurement goes through."""

VIEWS: Final = 5
WIDTHS: Final = (10, 100)
EVENT_MS: Final = 1_767_225_600_000
"""2026-01-01, when every row's event was."""

Row = list[float | int | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One size of lookup: so many entities, views, and features per view."""

    entities: int
    views: int
    features: int

    @property
    def view_names(self) -> list[str]:
        """The views that are asked."""
        return [f"wide{self.features}_{i}" for i in range(self.views)]

    @property
    def references(self) -> list[str]:
        """``view:feature`` of every feature asked."""
        return [f"{view}:{name}" for view in self.view_names for name in feature_names(view)]


def width(view: str) -> int:
    """How many features a view has."""
    return int(view.partition("_")[0].removeprefix("wide"))


def all_views() -> list[str]:
    """Every view there is."""
    return [f"wide{features}_{i}" for features in WIDTHS for i in range(VIEWS)]


def feature_names(view: str) -> list[str]:
    """A view's features; each name is of one view alone."""
    return [f"{view}_f{i}" for i in range(width(view))]


def is_integer(i: int) -> bool:
    """Whether the i-th feature is an Int64; the others are Float64."""
    return i % 5 == 4


def row(view: str, user: int) -> Row:
    """A user's values in a view; for a tenth of the users the first of them is null."""
    numbers = random.Random(f"{SEED} {view} {user}")
    values: Row = [
        numbers.randrange(1_000_000) if is_integer(i) else numbers.uniform(-1e3, 1e3) for i in range(width(view))
    ]
    if numbers.random() < 0.1:
        values[0] = None
    return values


def entity_sets(cell: Cell) -> list[list[int]]:
    """The users that are asked for, in turns."""
    numbers = random.Random(f"{SEED} {cell}")
    return [numbers.sample(range(USERS), cell.entities) for _ in range(SETS)]


def expected(cell: Cell, users: Sequence[int]) -> list[list[Any]]:
    """Per user the values of ``cell.references``."""
    return [[value for view in cell.view_names for value in row(view, user)] for user in users]


def wrong_rows(cell: Cell, users: Sequence[int], answer: Sequence[Sequence[Any]]) -> int:
    """How many of the users' rows are not what they should be."""
    wanted = expected(cell, users)
    if len(answer) != len(wanted):
        return len(wanted)
    return sum(list(got) != row for got, row in zip(answer, wanted, strict=True))

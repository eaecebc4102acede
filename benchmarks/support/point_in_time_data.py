"""What the point-in-time benchmark is about: sizes, and where the files lie. Peers read it: standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

DAY_MS: Final = 86_400_000
SPAN_MS: Final = 90 * DAY_MS
START_MS: Final = 19_600 * DAY_MS
DELAY_MS: Final = 60_000
RUN: Final = "20240101T000000Z-benchmark"


@dataclass(frozen=True, slots=True)
class Data:
    """What to generate, and where it lies. ``rows`` are the feature rows of all views together.

    A share ``late`` of the feature rows becomes known up to a day after its event. ``owner`` is the share of feature
    rows and of entity rows that belong to one single entity; the others have ``rows_per_entity`` feature rows each.
    ``ttl_days`` 0 is none. The labels are of the last ``label_days`` of the history's 90.
    """

    folder: Path
    rows: int
    entity_rows: int
    views: int
    features: int = 10
    rows_per_entity: int = 100
    late: float = 0.05
    owner: float = 0.0
    ttl_days: int = 0
    label_days: int = 90
    seed: int = 1

    @classmethod
    def read(cls, task: dict[str, Any]) -> Data:
        """From what ``task`` gave."""
        return cls(**task["data"] | {"folder": Path(task["data"]["folder"])})

    def task(self, as_of: str) -> dict[str, Any]:
        """As JSON, with the rule."""
        return {"data": asdict(self) | {"folder": str(self.folder)}, "as_of": as_of}

    @property
    def per_view(self) -> int:
        """Feature rows of one view."""
        return self.rows // self.views

    @property
    def entities(self) -> int:
        """How many entities there are."""
        return max(1, round(self.per_view * (1 - self.owner)) // self.rows_per_entity) + (1 if self.owner else 0)

    @property
    def feature_names(self) -> list[str]:
        """The features of each view."""
        return [f"f{i}" for i in range(self.features)]

    @property
    def outputs(self) -> list[str]:
        """The columns of an answer beside ``row_id``."""
        return [f"view{view}__{each}" for view in range(self.views) for each in self.feature_names]

    def history(self, view: int) -> Path:
        """Folder of a view's history, laid out as Asof's: ``event_date=YYYY-MM-DD/run=.../*.parquet``."""
        return self.folder / f"view{view}_v1"

    def files(self, view: int) -> str:
        """A pattern for the view's Parquet files."""
        return str(self.history(view) / "*" / "*" / "*.parquet")

    @property
    def labels(self) -> str:
        """Path of the entity rows' Parquet file: ``row_id``, ``user_id``, ``label``."""
        return str(self.folder / "entity_rows.parquet")

    def expected(self, as_of: str) -> str:
        """Path of the right answer: ``row_id`` and the outputs."""
        return str(self.folder / f"expected_{as_of}.parquet")

"""Generated histories and entity rows for the point-in-time benchmark: Parquet as Asof's writer lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
from sqlglot import exp

from asof.clock import DAY_MS
from asof.manifest import Column, Entity, Feature, FeatureView
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest

SPAN_MS = 90 * DAY_MS
START_MS = 19_600 * DAY_MS
DELAY_MS = 60_000
USER = Entity("user", (Column("user_id", "Int64"),))


@dataclass(frozen=True, slots=True)
class Data:
    """What to generate, and where it lies. ``rows`` are the feature rows of all views together.

    A share ``late`` of the feature rows becomes known up to a day after its event. ``owner`` is the share of feature
    rows and of entity rows that belong to one single entity; the others have ``rows_per_entity`` feature rows each.
    """

    folder: Path
    rows: int
    entity_rows: int
    views: int
    features: int
    rows_per_entity: int
    late: float
    owner: float
    ttl_days: int
    seed: int

    @property
    def per_view(self) -> int:
        """Feature rows of one view."""
        return self.rows // self.views

    @property
    def entities(self) -> int:
        """How many entities there are."""
        return max(1, round(self.per_view * (1 - self.owner)) // self.rows_per_entity) + (1 if self.owner else 0)

    def history(self, view: int) -> str:
        """Path of a view's Parquet file."""
        return str(self.folder / f"view{view}.parquet")

    @property
    def labels(self) -> str:
        """Path of the entity rows' Parquet file: ``row_id``, ``user_id``, ``label``."""
        return str(self.folder / "entity_rows.parquet")

    def request(self, as_of: Literal["served", "event"]) -> PointInTimeRequest:
        """All features of all views, for all entity rows."""
        return PointInTimeRequest(
            entity_rows=_parquet(self.labels),
            row_id="row_id",
            label="label",
            views=tuple(self._view(view) for view in range(self.views)),
            as_of=as_of,
        )

    def _view(self, view: int) -> ViewRequest:
        features = tuple(Feature(f"f{i}", "Float64") for i in range(self.features))
        ttl_ms = self.ttl_days * DAY_MS
        declared = FeatureView(
            f"view{view}", 1, "user", "source", "passthrough", features, ttl_ms=ttl_ms, publish_delay_ms=DELAY_MS
        )
        asked = tuple((feature.name, f"view{view}__{feature.name}") for feature in features)
        return ViewRequest(declared, USER, asked, history=_parquet(self.history(view)))


def generate(data: Data) -> None:
    """Writes the files, sorted by key and event time, ZSTD; the same seed gives the same rows."""
    data.folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for view in range(data.views):
            connection.execute(
                f"COPY ({_history(data, view)}) TO '{data.history(view)}' (FORMAT parquet, COMPRESSION zstd)"
            )
        connection.execute(f"COPY ({_entity_rows(data)}) TO '{data.labels}' (FORMAT parquet, COMPRESSION zstd)")


def _history(data: Data, view: int) -> str:
    owned = round(data.per_view * data.owner)
    others = min(data.rows_per_entity, max(1, data.per_view - owned))
    chance = f"hash(i * 1000 + {view} + {data.seed} * 7)"
    features = ", ".join(
        f"(hash(i * 1000 + {100 + view * 50 + each} + {data.seed}) % 1000000 / 1000.0)::DOUBLE AS f{each}"
        for each in range(data.features)
    )
    # Each entity's events are spread evenly over the span with one in each gap, so that no two fall together.
    return f"""
        SELECT user_id, event_timestamp,
            event_timestamp + to_milliseconds(late_ms) AS created_timestamp,
            created_timestamp + to_milliseconds({DELAY_MS}) AS available_timestamp, {features}
        FROM (
            SELECT i,
                CASE WHEN i < {owned} THEN 0 ELSE (i - {owned}) // {others} + {1 if owned else 0} END AS user_id,
                CASE WHEN i < {owned} THEN i ELSE (i - {owned}) % {others} END AS place,
                CASE WHEN i < {owned} THEN {SPAN_MS // max(1, owned)} ELSE {SPAN_MS // others} END AS gap_ms,
                epoch_ms(({START_MS} + place * gap_ms + {chance} % gap_ms)::BIGINT) AS event_timestamp,
                CASE WHEN {chance} // 1000 % 10000 < {data.late * 10_000}
                    THEN ({chance} // 1000000 % {DAY_MS})::BIGINT ELSE 0 END AS late_ms
            FROM range({data.per_view}) AS rows(i)
        )"""


def _entity_rows(data: Data) -> str:
    chance = f"hash(i * 1000 + 999 + {data.seed} * 13)"
    owned = round(data.entity_rows * data.owner)
    return f"""
        SELECT i AS row_id,
            CASE WHEN i < {owned} THEN 0 ELSE ({chance} % {data.entities})::BIGINT END AS user_id,
            epoch_ms(({START_MS} + {chance} // 1000000 % {SPAN_MS})::BIGINT) AS label
        FROM range({data.entity_rows}) AS rows(i)"""


def _parquet(path: str) -> exp.Table:
    return exp.Table(this=exp.func("READ_PARQUET", exp.Literal.string(path)))

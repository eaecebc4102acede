"""The sources of the window benchmark: the example flights, and generated events of which one entity has a tenth."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from asof.definitions import compile_path
from asof.manifest import Aggregation, BatchSource, Column, Entity, Feature, FeatureView
from asof.names import history_table, source_table
from asof.value_types import parse_type
from benchmarks.peers.environments import ROOT
from examples.flights import dataset

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY
START: Final = 15_706 * DAY
"""2013-01-01, when the flights begin."""

MEMORY_MB: Final = 4_000

_ENTITY: Final = Entity("sensor", (Column("sensor", "Int64"),))
_SOURCE: Final = BatchSource(
    name="readings",
    table=None,
    path="s3://bucket/readings/",
    timestamp_field="measured",
    created_timestamp_column=None,
    date_partition_column=None,
    lateness_ms=0,
    columns=(Column("sensor", "Int64"), Column("level", "Float64")),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A view's windows at each grid time of the year, from events in a Parquet file; ``only`` limits the entities."""

    view: FeatureView
    entity: Entity
    source: BatchSource
    file: Path
    only: int | None

    @classmethod
    def read(cls, task: dict[str, Any]) -> Question:
        """From a task: ``file``, ``view`` (of the flights, or ``levels``), ``only``."""
        file, only = Path(task["file"]), task["only"]
        if task["view"] == "levels":
            return cls(_levels(), _ENTITY, _SOURCE, file, only)
        manifest = compile_path(ROOT / "feature_defs")
        view = next(each for each in manifest.feature_views if each.name == task["view"])
        return cls(view, manifest.entity(view.entity), manifest.source(view.source), file, only)

    @property
    def relation(self) -> str:
        """What the source is called in SQL."""
        return self.source.table or source_table(self.source.name)

    @property
    def keys(self) -> list[str]:
        """The columns of the entity's keys."""
        return [each.name for each in self.entity.join_keys]

    @property
    def compared(self) -> list[str]:
        """The features whose values do not depend on the order of adding."""
        return [each.feature for each in self.view.aggregations if each.function != "stddev"]

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB of bounded memory that knows the source, and an empty history."""
        connection = duckdb.connect(config={"temp_directory": tempfile.mkdtemp(prefix="spill-", dir=self.file.parent)})
        connection.execute(f"SET memory_limit = '{MEMORY_MB}MB'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        schema = self.relation.rpartition(".")[0]
        if schema:
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE VIEW {self.relation} AS FROM '{self.file}'")
        columns = {each.name: each.dtype for each in self.entity.join_keys}
        columns |= {each.name: each.dtype for each in self.view.features}
        typed = ", ".join(f"{name} {_sql_type(dtype)}" for name, dtype in columns.items())
        times = "event_timestamp TIMESTAMP, created_timestamp TIMESTAMP, available_timestamp TIMESTAMP"
        table = history_table(self.view.name, self.view.version)
        connection.execute(f"CREATE TABLE {table} ({typed}, {times}, event_date VARCHAR, run VARCHAR)")
        return connection


def generate(folder: Path, events: int, entities: int) -> Path:
    """Events spread over the year, about in order: sensor 0 has a tenth of them, ``entities`` others share the rest.

    They are written as they are made, so memory does not grow with them.
    """
    path = folder / f"readings_{events}_{entities}.parquet"
    if not path.exists():
        jitter = f"(hash(i * 7 + 1) % {HOUR})::BIGINT"
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(
                f"""COPY (
                    SELECT CASE WHEN i % 10 = 0 THEN 0 ELSE 1 + (hash(i) % {entities})::BIGINT END AS sensor,
                           make_timestamp_ms({START} + i * {YEAR - HOUR} // {events} + {jitter}) AS measured,
                           (hash(i * 13 + 5) % 8000) / 8.0 AS level
                    FROM range({events}) AS numbers(i)
                ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
            )
    return path


def flights(folder: Path) -> dict[str, tuple[Path, int]]:
    """By aggregation view of the flights: its source's file, and how many events that has."""
    manifest, tables = compile_path(ROOT / "feature_defs"), dataset.load()
    found = {}
    for view in manifest.feature_views:
        if view.kind == "aggregation":
            path = folder / f"{view.source}.parquet"
            table = tables[view.source]
            naive = [each.cast(each.type) for each in table.columns]
            if not path.exists():
                pq.write_table(table.from_arrays(naive, names=table.column_names), path)
            found[view.name] = path, table.num_rows
    return found


def _levels() -> FeatureView:
    aggregations = tuple(
        Aggregation(f"{function}_{hours}h", function, column, hours * HOUR)
        for hours in (1, 24, 720)
        for function, column in (("count", None), ("mean", "level"), ("max", "level"))
    )
    kinds = {"count": "Int64", "mean": "Float64", "max": "Float64"}
    features = tuple(Feature(each.feature, kinds[each.function]) for each in aggregations)
    return FeatureView(
        "levels", 1, "sensor", "readings", "aggregation", features, aggregations=aggregations, step_ms=HOUR
    )


def _sql_type(dtype: str) -> str:
    return {"string": "VARCHAR"}.get(parse_type(dtype).glue, parse_type(dtype).glue)

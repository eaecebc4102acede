"""Who takes part in the point-in-time benchmark, and the plain reference that their answers are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import duckdb
import pyarrow as pa
import sqlglot

from asof.clock import DAY_MS
from asof.offline.duckdb_point_in_time import run_native
from asof.sql.dialects import render
from asof.sql.point_in_time import point_in_time
from benchmarks.support.point_in_time_data import Data

AsOf = Literal["served", "event"]
Contestant = Callable[[duckdb.DuckDBPyConnection, Data, AsOf], pa.Table]
_INSTANT = {"served": "available_timestamp", "event": "event_timestamp"}


def native(connection: duckdb.DuckDBPyConnection, data: Data, as_of: AsOf) -> pa.Table:
    """Asof's own plan for DuckDB."""
    return run_native(connection, data.request(as_of))


def athena(connection: duckdb.DuckDBPyConnection, data: Data, as_of: AsOf) -> pa.Table:
    """Asof's Athena text, transpiled to DuckDB as the local cloud does it."""
    text = render(point_in_time(data.request(as_of)), "athena")
    return connection.sql(sqlglot.transpile(text, read="athena", write="duckdb")[0]).to_arrow_table()


def asof_all_columns(connection: duckdb.DuckDBPyConnection, data: Data, as_of: AsOf) -> pa.Table:
    """DuckDB's own ASOF JOIN over all columns of the same files: the bar. With late rows it is wrong as ``served``."""
    return connection.sql(_asof(data, as_of, all_columns=True)).to_arrow_table()


def asof_features(connection: duckdb.DuckDBPyConnection, data: Data, as_of: AsOf) -> pa.Table:
    """The same with nothing but the features in the select list, which spares it some sorting."""
    return connection.sql(_asof(data, as_of, all_columns=False)).to_arrow_table()


CONTESTANTS: Mapping[str, Contestant] = {
    "native": native,
    "athena": athena,
    "asof_all_columns": asof_all_columns,
    "asof_features": asof_features,
}


def _asof(data: Data, as_of: AsOf, *, all_columns: bool) -> str:
    columns, joins = ["l.row_id"], []
    for view in range(data.views):
        alive = f"v{view}.event_timestamp >= l.label - to_milliseconds({data.ttl_days * DAY_MS})"
        for each in (f"f{i}" for i in range(data.features)):
            value = f"CASE WHEN {alive} THEN v{view}.{each} END" if data.ttl_days else f"v{view}.{each}"
            columns.append(f"{value} AS view{view}__{each}")
        if all_columns:
            times = ("user_id", "event_timestamp", "created_timestamp", "available_timestamp")
            columns += [f"v{view}.{each} AS view{view}__{each}" for each in times]
        joins.append(
            f"ASOF LEFT JOIN '{data.history(view)}' AS v{view} "
            f"ON l.user_id = v{view}.user_id AND l.label >= v{view}.{_INSTANT[as_of]}"
        )
    return f"SELECT {', '.join(columns)} FROM '{data.labels}' AS l {' '.join(joins)} ORDER BY l.row_id"


def wrong_rows(answer: pa.Table, data: Data, as_of: AsOf, sample: int) -> int:
    """How many of ``sample`` entity rows an answer has wrong, judged by a range join and a full sort, view by view.

    An answer with other entity rows than asked for, or in another order, is wrong in all of them.
    """
    with duckdb.connect() as connection:
        asked = connection.sql(f"SELECT row_id FROM '{data.labels}' ORDER BY row_id").to_arrow_table()
        if not answer.column("row_id").cast(pa.int64()).equals(asked.column("row_id")):
            return sample
        connection.register("answer", answer)
        step = max(1, data.entity_rows // sample)
        connection.execute(f"CREATE TEMP TABLE sample AS FROM '{data.labels}' WHERE row_id % {step} = 0")
        wrong: set[int] = set()
        for view in range(data.views):
            connection.execute(f"CREATE OR REPLACE TEMP TABLE expected AS {_reference(data, view, as_of)}")
            names = [f"f{i}" for i in range(data.features)]
            differs = " OR ".join(f"e.{each} IS DISTINCT FROM a.view{view}__{each}" for each in names)
            found = connection.sql(f"SELECT row_id FROM expected AS e JOIN answer AS a USING (row_id) WHERE {differs}")
            wrong.update(row_id for (row_id,) in found.fetchall())
        return len(wrong)


def _reference(data: Data, view: int, as_of: AsOf) -> str:
    alive = f"event_timestamp >= label - to_milliseconds({data.ttl_days * DAY_MS})" if data.ttl_days else "true"
    features = ", ".join(f"CASE WHEN {alive} THEN f{i} END AS f{i}" for i in range(data.features))
    return f"""
        SELECT row_id, {features} FROM (
            SELECT s.row_id, s.label, h.* EXCLUDE (user_id), row_number() OVER (
                PARTITION BY s.row_id ORDER BY h.event_timestamp DESC NULLS LAST, h.created_timestamp DESC
            ) AS place
            FROM sample AS s LEFT JOIN '{data.history(view)}' AS h
            ON s.user_id = h.user_id AND h.{_INSTANT[as_of]} <= s.label
        ) WHERE place = 1"""

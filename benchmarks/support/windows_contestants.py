"""Asof's window computation as a backfill runs it, and the shape that suggests itself: a range join per due row.

An answer is a single row: how many rows there are, and a digest of their keys, times and values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import duckdb
import pyarrow as pa

from asof.manifest import Aggregation
from asof.materialize.intervals import chunks, query_dates
from asof.sql.binding import bind
from asof.sql.dialects import render
from asof.sql.queries import compute
from benchmarks.support.measure import Prepared
from benchmarks.support.windows_data import START, YEAR, Question

_FUNCTIONS: Final = {"count": "count", "mean": "avg", "max": "max", "min": "min", "sum": "sum", "last": "last"}
_DIGESTS: Final = 2**64


def asof(task: dict[str, Any]) -> Prepared:
    """The year in chunks of 31 days, into an empty history."""
    question = Question.read(task)
    view = question.view
    text = render(compute(view, question.entity, question.source), "duckdb")
    end = START + YEAR
    known = {"on_time_ms": 0, "now_ms": end, "known_ms": end}

    def run() -> pa.Table:
        with question.connect() as connection:
            statements = (
                bind(text, {"from_ms": start, "to_ms": stop, **known, **query_dates(view, start, stop)})
                for start, stop in chunks(view, START + view.offset_ms, end)
            )
            return _digest(connection, question, statements)

    return run


def range_join(task: dict[str, Any]) -> Prepared:
    """Each grid time at which something changed, joined with the events in its longest window, in the same chunks."""
    question = Question.read(task)
    view = question.view

    def run() -> pa.Table:
        with question.connect() as connection:
            statements = (
                _range_join(question, start, stop) for start, stop in chunks(view, START + view.offset_ms, START + YEAR)
            )
            return _digest(connection, question, statements)

    return run


def _digest(connection: duckdb.DuckDBPyConnection, question: Question, statements: Iterable[str]) -> pa.Table:
    columns = ", ".join([*question.keys, "epoch_ms(event_timestamp)", *question.compared])
    rows = digest = 0
    for each in statements:
        found = f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM ({each}) WHERE {_only(question)}"
        counted, summed = connection.execute(found).fetchall()[0]
        rows, digest = rows + counted, (digest + int(summed or 0)) % _DIGESTS
    return pa.table({"rows": [rows], "digest": [str(digest)]})


def _only(question: Question) -> str:
    if question.only is None:
        return "true"
    # One of so many, and never the one that owns a tenth, which is key 0 and has the hash 0.
    return f"hash({', '.join(question.keys)}) % {question.only} = 1"


def _range_join(question: Question, start: int, stop: int) -> str:
    view, keys = question.view, ", ".join(question.keys)
    step, offset = view.step_ms, view.offset_ms
    windows = sorted({each.window_ms for each in view.aggregations})
    moment = f"{question.source.timestamp_field}::TIMESTAMP"
    changes = ", ".join(f"({each})" for each in (0, *windows))
    values = ", ".join(f"{_value(each)} AS {each.feature}" for each in view.aggregations)
    present = " AND ".join(f"{key} IS NOT NULL" for key in question.keys)
    same = " AND ".join(f"c.{key} = e.{key}" for key in question.keys)
    return f"""
        WITH events AS (
            SELECT *, epoch_ms({moment}) AS moment FROM {question.relation}
            WHERE ({view.where or "true"}) AND {_only(question)} AND {present}
              AND {moment} > make_timestamp_ms({start - step - windows[-1]}) AND {moment} < make_timestamp_ms({stop})
        ),
        candidates AS (
            SELECT DISTINCT {keys}, {offset} + ((moment + w - {offset} + {step - 1}) // {step}) * {step} AS due
            FROM events, (VALUES {changes}) AS windows(w)
        )
        SELECT {", ".join(f"c.{key}" for key in question.keys)}, epoch_ms(due) AS event_timestamp, {values}
        FROM candidates AS c LEFT JOIN events AS e ON {same} AND e.moment > due - {windows[-1]} AND e.moment <= due
        WHERE due >= {start} AND due < {stop}
        GROUP BY {", ".join(f"c.{key}" for key in question.keys)}, due"""


def _value(each: Aggregation) -> str:
    inside = f"e.moment > due - {each.window_ms}"
    if each.function == "stddev":
        return f"stddev_samp({each.column}) FILTER ({inside})"
    if each.function == "last":
        return f"last({each.column} ORDER BY e.moment, {each.column}) FILTER ({inside} AND {each.column} IS NOT NULL)"
    return f"{_FUNCTIONS[each.function]}({each.column or 'e.moment'}) FILTER ({inside})"

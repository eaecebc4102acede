"""Runs a point-in-time join on a DuckDB connection, natively (``asof.sql.point_in_time_native``)."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from asof.sql.dialects import render
from asof.sql.point_in_time_native import EVENT_US, KEY, PAIR, ROW, VISIBLE_US, Labels, Visible, point_in_time_native
from asof.sql.point_in_time_request import PointInTimeRequest

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

GREATEST_CODE: Final = 2**62
BATCH_ROWS: Final = 100_000
_NEVER: Final = -(2**63)


def run_native(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The answer as an Arrow table: one row per entity row, ordered by row id, columns as ``request.columns()``.

    The connection must know the entity rows and histories that the request names. What it is given beside them is gone
    afterwards, whatever happens. DuckDB's own errors pass through. Memory is that of the labels, of the rows that they
    see, and of one batch of a history's times.
    """
    plan = point_in_time_native(request, prefix=f"asof_pit_{secrets.token_hex(4)}")
    with ExitStack() as relations:
        given = _Relations(connection, relations)
        labels = {each.table: _labels(given, each) for each in plan.labels}
        for view in plan.views:
            _make_visible(given, view, labels[view.labels])
        return given.answer(plan.query)


class _Relations:
    """What a connection knows for the length of a join."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, until: ExitStack) -> None:
        self._connection = connection
        self._until = until

    def add(self, name: str, relation: pa.Table) -> None:
        """One more relation, or another under the same name."""
        self._connection.register(name, relation)
        self._until.callback(self._connection.unregister, name)

    def answer(self, query: exp.Select) -> pa.Table:
        """All rows of a query."""
        table: pa.Table = self._connection.sql(render(query, "duckdb")).to_arrow_table()
        return table

    def stream(self, query: exp.Select) -> pa.RecordBatchReader:
        """The rows of a query, a batch at a time."""
        return self._connection.sql(render(query, "duckdb")).to_arrow_reader(BATCH_ROWS)


def _labels(given: _Relations, labels: Labels) -> pa.Table:
    table = given.answer(labels.query)
    given.add(labels.table, table)
    return table


def _make_visible(given: _Relations, view: Visible, labels: pa.Table) -> None:
    """The relations ``view.rows`` and ``view.seen``."""
    import numpy as np
    import pyarrow as pa

    newest = _Newest(labels["key"].to_numpy(), labels["at"].cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy())
    with given.stream(view.times) as reader:
        for batch in reader:
            newest.add(*(batch[name].to_numpy() for name in (KEY, VISIBLE_US, EVENT_US)))
    i, pair, first, event_us = newest.seen()
    keys = labels.drop_columns(["i", "key", "at"]).take(first)
    chosen = keys.append_column("event", [pa.array(event_us, pa.timestamp("us"))])
    given.add(view.chosen, chosen.append_column("pair", [pa.array(np.arange(len(first)))]))
    rows = given.answer(view.fetch)
    place = np.arange(rows.num_rows)
    rows = rows.append_column(ROW, [pa.array(place)])
    given.add(view.rows, rows)
    if rows.num_rows == len(first):
        row_of = np.empty(len(first), np.int64)
        row_of[rows[PAIR].to_numpy()] = place
        given.add(view.seen, pa.table({"i": i, "row": row_of[pair]}))
    else:
        given.add(view.seen, pa.table({"i": i, "pair": pair}))
        given.add(view.seen, given.answer(view.untied))


class _Newest:
    """The newest event time that each label sees, of the feature rows so far.

    Made of the labels' ``key`` numbers and instants, sorted by both. The two become one integer, a *code*, of the same
    order, so that a binary search finds a row's bucket, the first label at or after the instant it became visible.
    """

    def __init__(self, key: Integers, at: Integers) -> None:
        import numpy as np

        self._key = key
        self._at = np.unique(at)  # also sorts
        first, last = (int(self._at[0]), int(self._at[-1])) if len(at) else (0, 0)
        self._first, self._span = first, last - first + 1
        self._dense = len(key) > 0 and (int(key[-1]) + 1) * self._span > GREATEST_CODE
        if self._dense:
            self._span = len(self._at)
        self._codes = self._code(key, at)
        self._event_us = np.full(len(key), _NEVER, np.int64)

    def add(self, key: Integers, visible_us: Integers, event_us: Integers) -> None:
        """Take note of rows, each visible at the last label of its keys if not before."""
        import numpy as np

        # Labels are whole milliseconds: a row is visible at the first one at or after it.
        bucket = np.searchsorted(self._codes, self._code(key, -(-visible_us // 1000)))
        np.maximum.at(self._event_us, bucket, event_us)

    def seen(self) -> tuple[Integers, Integers, Integers, Integers]:
        """The labels that see something, each with its *pair*, which is keys and event time, as a number from zero.

        Then of each pair its first label and the event time.
        """
        import numpy as np

        event_us, place = np.unique(self._event_us, return_inverse=True)
        base = self._key * len(event_us)
        # Of the labels so far with the same keys: those of earlier keys have lesser sums.
        place = np.maximum.accumulate(base + place) - base
        (i,) = np.nonzero(event_us[place] > _NEVER)
        key, place = self._key[i], place[i]
        news = np.ones(len(i), np.bool_)
        news[1:] = (key[1:] != key[:-1]) | (place[1:] != place[:-1])
        return i, np.cumsum(news) - 1, i[news], event_us[place[news]]

    def _code(self, key: Integers, at: Integers) -> Integers:
        import numpy as np

        # Where codes would not fit into 64 bits, an instant is replaced by its place among all labels' instants.
        place = np.searchsorted(self._at, at) if self._dense else np.maximum(at - self._first, 0)
        code: Integers = key * self._span + place
        return code

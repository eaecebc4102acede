"""Runs a point-in-time join on a DuckDB connection, natively (``asof.sql.point_in_time_native``)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asof.sql.dialects import render
from asof.sql.point_in_time_native import EVENT_US, KEY, VISIBLE_US, Candidates, point_in_time_native
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

    The connection must know the entity rows and histories that the request names. Its temporary tables
    are gone afterwards, whatever happens. DuckDB's own errors pass through.
    """
    with native_relation(connection, request) as relation:
        table: pa.Table = relation.to_arrow_table()
        return table


@contextmanager
def native_relation(
    connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The answer as a relation that has not run yet, for writing it somewhere without holding it in memory.

    It can be used only inside the ``with``: its temporary tables go at the end.
    """
    plan = point_in_time_native(request, prefix=f"asof_pit_{secrets.token_hex(4)}")
    try:
        for step in plan.steps:
            if isinstance(step, Candidates):
                _make_candidates(connection, step)
            else:
                connection.execute(f'CREATE TEMP TABLE "{step.table}" AS {render(step.query, "duckdb")}')
                _drop(connection, step.drops)
        yield connection.sql(render(plan.query, "duckdb"))
    finally:
        _drop(connection, (step.table for step in plan.steps))


def _drop(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    for table in tables:
        connection.execute(f'DROP TABLE IF EXISTS "{table}"')


def _make_candidates(connection: duckdb.DuckDBPyConnection, step: Candidates) -> None:
    """Streams the feature rows past the sorted labels; memory is that of the labels, their candidates and one batch."""
    import numpy as np

    given = connection.table(step.labels).order("i").project('"key", epoch_ms("at") AS "at"')
    labels = given.fetchnumpy()
    buckets = _Buckets(np.asarray(labels["key"], np.int64), np.asarray(labels["at"], np.int64))
    rows = connection.sql(render(step.rows, "duckdb"))
    newest = _Newest(buckets)
    with rows.to_arrow_reader(_batch_rows(rows.types)) as reader:
        for batch in reader:
            newest.add(batch)
        connection.register(step.newest, newest.table(reader.schema))
    try:
        query = render(step.ranked(tied=newest.tied()), "duckdb")
        connection.execute(f'CREATE TEMP TABLE "{step.table}" AS {query}')
    finally:
        connection.unregister(step.newest)


def _batch_rows(types: Iterable[object]) -> int:
    """How many rows stand in memory at once: fewer where a value may be as large as an embedding."""
    return BATCH_ROWS // 32 if any("[" in str(each) or "(" in str(each) for each in types) else BATCH_ROWS


class _Newest:
    """Of the feature rows seen so far, those of the newest event time of each bucket, ties included."""

    def __init__(self, buckets: _Buckets) -> None:
        import numpy as np

        self._buckets = buckets
        self._event_us = np.full(len(buckets.codes), _NEVER, np.int64)
        self._held: list[_Held] = []
        self._rows, self._limit = 0, BATCH_ROWS

    def add(self, batch: pa.RecordBatch) -> None:
        """Take note of a batch. Rows that have been outdone meanwhile go once they may be half of those held."""
        import numpy as np

        key, visible_us, event_us = (batch[name].to_numpy(zero_copy_only=False) for name in (KEY, VISIBLE_US, EVENT_US))
        # Labels are whole milliseconds: a row is visible at the first one at or after it.
        bucket, found = self._buckets.of(key, -(-visible_us // 1000))
        np.maximum.at(self._event_us, bucket[found], event_us[found])
        bucket[~found] = 0
        self._hold(_Held(bucket, event_us, batch), found)
        if self._rows > self._limit:
            self._settle()
            self._limit = max(BATCH_ROWS, 2 * self._rows)

    def table(self, schema: pa.Schema) -> pa.Table:
        """The rows."""
        import pyarrow as pa

        self._settle()
        return pa.Table.from_batches([each.rows for each in self._held], schema)

    def tied(self) -> bool:
        """Whether two of the rows have the same keys and event time."""
        import numpy as np

        if not self._held:
            return False
        key = self._buckets.key[np.concatenate([each.bucket for each in self._held])]
        event_us = np.concatenate([each.event_us for each in self._held])
        order = np.lexsort((event_us, key))
        key, event_us = key[order], event_us[order]
        return bool(((key[1:] == key[:-1]) & (event_us[1:] == event_us[:-1])).any())

    def _settle(self) -> None:
        """Let go of rows that have been outdone."""
        held, self._held, self._rows = self._held, [], 0
        for each in held:
            self._hold(each)

    def _hold(self, rows: _Held, among: NDArray[np.bool_] | None = None) -> None:
        """Hold those of the rows that are the newest of their buckets."""
        import pyarrow as pa

        stay = self._event_us[rows.bucket] == rows.event_us
        if among is not None:
            stay &= among
        if stay.any():
            self._held.append(_Held(rows.bucket[stay], rows.event_us[stay], rows.rows.filter(pa.array(stay))))
            self._rows += len(self._held[-1].bucket)


@dataclass(frozen=True, slots=True)
class _Held:
    """Feature rows with the number of each one's bucket and its event time."""

    bucket: Integers
    event_us: Integers
    rows: pa.RecordBatch


class _Buckets:
    """Finds the first label at or after an instant, among the labels of the same keys.

    Made of the labels' ``key`` numbers and instants, sorted by both. The two become one integer, a *code*, of the same
    order, so that a binary search finds the bucket.
    """

    def __init__(self, key: Integers, at: Integers) -> None:
        import numpy as np

        self.key = key
        self._at = np.unique(at)  # also sorts
        first, last = (int(self._at[0]), int(self._at[-1])) if len(at) else (0, 0)
        # Room for one instant after the last label, which has no bucket.
        self._first, self._span = first, last - first + 2
        self._dense = len(key) > 0 and (int(key[-1]) + 1) * self._span > GREATEST_CODE
        if self._dense:
            self._span = len(self._at) + 1
        self.codes = self._code(key, at)

    def of(self, key: Integers, at: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """The bucket of each row, as the number of a label; and whether it has one, without which it means nothing."""
        import numpy as np

        bucket = np.searchsorted(self.codes, self._code(key, at))
        found = bucket < len(self.codes)
        found[found] = self.key[bucket[found]] == key[found]
        return bucket, found

    def _code(self, key: Integers, at: Integers) -> Integers:
        import numpy as np

        # Where codes would not fit into 64 bits, an instant is replaced by its place among all labels' instants.
        place = np.searchsorted(self._at, at) if self._dense else np.clip(at - self._first, 0, self._span - 1)
        code: Integers = key * self._span + place
        return code

"""Runs a point-in-time join on a DuckDB connection, natively (``asof.sql.point_in_time_native``)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from asof.sql.dialects import render
from asof.sql.point_in_time_native import Newest, point_in_time_native
from asof.sql.point_in_time_request import PointInTimeRequest

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

GREATEST_CODE: Final = 2**62
_BATCH_ROWS: Final = 200_000
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
            if isinstance(step, Newest):
                _make_newest(connection, step)
            else:
                connection.execute(f'CREATE TEMP TABLE "{step.table}" AS {render(step.query, "duckdb")}')
                _drop(connection, step.drops)
        yield connection.sql(render(plan.query, "duckdb"))
    finally:
        _drop(connection, (step.table for step in plan.steps))


def _drop(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    for table in tables:
        connection.execute(f'DROP TABLE IF EXISTS "{table}"')


def _make_newest(connection: duckdb.DuckDBPyConnection, step: Newest) -> None:
    """Streams the feature rows past the sorted labels; memory is that of the labels and one batch."""
    import numpy as np
    import pyarrow as pa

    given = connection.table(step.labels).order("i").project('"key", epoch_ms("at") AS "at"')
    labels = given.fetchnumpy()
    buckets = _Buckets(np.asarray(labels["key"], np.int64), np.asarray(labels["at"], np.int64))
    newest = np.full(len(buckets.codes), _NEVER, np.int64)
    for batch in connection.sql(render(step.rows, "duckdb")).to_arrow_reader(_BATCH_ROWS):
        key, at_us, event_us = (each.to_numpy(zero_copy_only=False) for each in batch.columns)
        # Labels are whole milliseconds: a row is visible at the first one at or after it.
        bucket, found = buckets.of(key, -(-at_us // 1000))
        np.maximum.at(newest, bucket[found], event_us[found])
    i = np.flatnonzero(newest != _NEVER)
    found_rows = f"{step.table}_found"
    connection.register(found_rows, pa.table({"i": i, "e_us": newest[i]}))
    try:
        keys = ", ".join(f'l."{key}"' for key in step.keys)
        connection.execute(
            f'CREATE TEMP TABLE "{step.table}" AS FROM "{step.labels}" AS l JOIN "{found_rows}" AS f USING (i) '
            f"SELECT {keys}, make_timestamp(f.e_us) AS e"
        )
    finally:
        connection.unregister(found_rows)


class _Buckets:
    """Finds the first label at or after an instant, among the labels of the same keys.

    Made of the labels' ``key`` numbers and instants, sorted by both. The two become one integer, a *code*, of the same
    order, so that a binary search finds the bucket.
    """

    def __init__(self, key: Integers, at: Integers) -> None:
        import numpy as np

        self._key = key
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
        found[found] = self._key[bucket[found]] == key[found]
        return bucket, found

    def _code(self, key: Integers, at: Integers) -> Integers:
        import numpy as np

        # Where codes would not fit into 64 bits, an instant is replaced by its place among all labels' instants.
        place = np.searchsorted(self._at, at) if self._dense else np.clip(at - self._first, 0, self._span - 1)
        code: Integers = key * self._span + place
        return code

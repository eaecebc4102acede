"""Writes to the online store. A write wins only if it is newer: order, repeats and number of writers do not matter."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final, Protocol

from asof.errors import AsofError
from asof.manifest import Entity, FeatureView
from asof.online.faults import CONDITION_FAILED, client_errors, error_code
from asof.online.layout import ItemLayout, OnlineRow
from asof.online.retry import RetryPolicy

WRITE_RETRY: Final = RetryPolicy(deadline_ms=60_000, base_ms=25, cap_ms=5_000)
"""How long one item is tried before the load fails; a load that failed can be repeated."""

_NEWER: Final = "attribute_not_exists(pk) OR e < :e OR (e = :e AND c < :c)"


class WriteClient(Protocol):
    """The part of boto3's DynamoDB client that the writer needs; it is called from several threads."""

    def put_item(self, *args: Any, **kwargs: Any) -> Any:
        """PutItem."""
        ...


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """What became of the rows: ``written``, or ``superseded`` by an equal or newer row that was there before.

    A write whose acknowledgement was lost and that was tried again counts as superseded, by itself.
    """

    written: int = 0
    superseded: int = 0

    @property
    def total(self) -> int:
        """All rows accounted for."""
        return self.written + self.superseded


class OnlineWriter:
    """Writes feature rows to one online table.

    ``client`` is boto3's DynamoDB client or anything with its ``put_item``. ``workers`` writes are under way at once.
    """

    def __init__(self, client: WriteClient, table: str, *, retry: RetryPolicy = WRITE_RETRY, workers: int = 16) -> None:
        self._client = client
        self._table = table
        self._retry = retry
        self._workers = workers

    def write(self, view: FeatureView, entity: Entity, rows: Iterable[OnlineRow]) -> WriteCounts:
        """Writes rows, read from the iterable no faster than they are written, and counts what became of them.

        The first failure stops the load and is raised once the writes under way have ended: EntityRowsError or
        RequestError for a row that does not fit the view, ItemTooLargeError, DeadlineExceededError for an item that
        could not be written in time, OnlineStoreError for anything else. Whatever was written stays; a repetition of
        the whole load is safe.
        """
        layout, shared = ItemLayout(view, entity), _Shared(iter(rows))
        done = [WriteCounts() for _ in range(self._workers)]

        def work(number: int) -> None:
            """Rows until there are no more, or until somebody failed."""
            try:
                for row in shared:
                    won = self._put(layout.item(row))
                    done[number] = WriteCounts(done[number].written + won, done[number].superseded + (not won))
            except BaseException as error:
                shared.stop(error)
                raise

        with ThreadPoolExecutor(self._workers, thread_name_prefix="asof-online-writer") as pool:
            try:
                wait([pool.submit(work, number) for number in range(self._workers)])
            except BaseException as error:  # this thread was interrupted: the others come to an end after their write
                shared.stop(error)
                raise
        counts = WriteCounts(sum(each.written for each in done), sum(each.superseded for each in done))
        if shared.error is None:
            return counts
        if isinstance(shared.error, AsofError):
            shared.error.add_note(
                f"Of {view.reference}, {counts.written} rows were written and {counts.superseded} superseded before "
                f"the load stopped; loading all of them again is safe."
            )
        raise shared.error

    def _put(self, item: dict[str, dict[str, Any]]) -> bool:
        """Puts the item if it is newer than the stored one; returns whether it was."""

        def put() -> bool:
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=_NEWER,
                    ExpressionAttributeValues={":e": item["e"], ":c": item["c"]},
                )
            except client_errors() as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
            return True

        return self._retry.start(f"writing {item['sk']['S']} of {item['pk']['S']!r} to {self._table}").call(put)


class _Shared:
    """An iterator for several threads, which ends for all of them when one has failed. ``error`` is the first."""

    def __init__(self, rows: Iterator[OnlineRow]) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[OnlineRow]:
        return self

    def __next__(self) -> OnlineRow:
        with self._lock:
            if self.error is not None:
                raise StopIteration
            return next(self._rows)

    def stop(self, error: BaseException) -> None:
        """No more rows for anybody."""
        with self._lock:
            self.error = self.error or error

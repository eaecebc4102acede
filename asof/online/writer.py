"""Writes to the online store. A write wins only if it is newer: order, repeats and number of writers do not matter."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from asof.errors import AsofError
from asof.manifest import Entity, FeatureView
from asof.online.faults import CONDITION_FAILED, client_errors, error_code
from asof.online.layout import ItemLayout, OnlineRow
from asof.online.retry import RetryPolicy

T = TypeVar("T")

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
        layout = ItemLayout(view, entity)
        done = {True: 0, False: 0}
        try:
            with (
                ThreadPoolExecutor(self._workers, thread_name_prefix="asof-online-writer") as pool,
                closing(_bounded(pool, self._put, map(layout.item, rows), 2 * self._workers)) as futures,
            ):
                for future in futures:
                    done[future.result()] += 1
        except AsofError as error:
            error.add_note(
                f"Of {view.reference}, at least {done[True]} rows were written and {done[False]} superseded before the "
                f"load stopped; loading all of them again is safe."
            )
            raise
        return WriteCounts(written=done[True], superseded=done[False])

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


def _bounded(
    pool: ThreadPoolExecutor, work: Callable[[T], bool], arguments: Iterable[T], limit: int
) -> Generator[Future[bool], None, None]:
    """The futures of ``work(argument)`` as they are done, with at most ``limit`` of them under way or waiting."""
    pending: set[Future[bool]] = set()
    try:
        for argument in arguments:
            pending.add(pool.submit(work, argument))
            if len(pending) >= limit:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from done
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from done
    finally:
        for future in pending:
            future.cancel()

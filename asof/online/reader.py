"""Reads of the online store: the hot path of serving. Standard library only; the client is injected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final, NamedTuple

from asof.clock import Clock, SystemClock
from asof.errors import EntityRowsError
from asof.keys import WATERMARK_KEY
from asof.online.answers import ItemReader, ViewAnswer
from asof.online.fetch import ItemKey, Items, ReadClient, fetch
from asof.online.retry import RetryPolicy
from asof.references import ViewProjection

READ_RETRY: Final = RetryPolicy(deadline_ms=2_000, base_ms=10, cap_ms=250)
"""How long a lookup is tried before it fails."""

WATERMARK_CACHE_MS: Final = 5_000
"""How long a reader believes a watermark it has read. One that was never published is asked for each time."""

_MOST_READERS: Final = 512  # callers choose the features, so the number of their combinations has no bound


class _Watermark(NamedTuple):
    as_of_ms: int
    read_ms: int


class OnlineReader:
    """Reads feature views of one online table.

    ``client`` is boto3's DynamoDB client or anything with its ``query`` and ``batch_get_item``. Reads are eventually
    consistent unless ``consistent``. ``clock`` says what "now" is; ``retry`` holds the deadline of a read, by a clock
    of its own, because "now" may be a made-up instant.
    """

    def __init__(
        self,
        client: ReadClient,
        table: str,
        *,
        clock: Clock | None = None,
        retry: RetryPolicy = READ_RETRY,
        consistent: bool = False,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock or SystemClock()
        self._retry = retry
        self._consistent = consistent
        self._readers: dict[int, ItemReader] = {}
        self._watermarks: dict[str, _Watermark] = {}

    def read(
        self,
        projections: Sequence[ViewProjection],
        entity_rows: Sequence[Mapping[str, object]],
        now_ms: int | None = None,
    ) -> list[ViewAnswer]:
        """The views' answers at ``now_ms`` (default: the clock's now), one per projection.

        Each has one row per entity row, in order, duplicates included.
        A row holds at least the join keys. A null key matches nothing, so its features are NOT_FOUND.
        Raises EntityRowsError, naming the row, for a missing key or one of the wrong type; DeadlineExceededError where
        the store does not answer completely in time; StaleFeaturesError where a view says so; OnlineStoreError.
        """
        if now_ms is None:
            now_ms = self._clock.now_ms()
        if not entity_rows:
            return [ViewAnswer(projection, None, ()) for projection in projections]
        readers = [self._reader(projection) for projection in projections]
        by_entity = {each.projection.entity.name: each for each in readers}
        partitions = {name: _partition_keys(reader, entity_rows) for name, reader in by_entity.items()}
        keys: dict[ItemKey, None] = {}
        for reader in readers:
            known = (each for each in partitions[reader.projection.entity.name] if each is not None)
            keys.update(dict.fromkeys(zip(known, repeat(reader.sort_key), strict=False)))
        keys |= dict.fromkeys(self._watermark_keys(readers))
        patience = self._retry.start(f"reading {len(keys)} items of {self._table}")
        items = fetch(self._client, self._table, keys, self._consistent, patience)
        self._remember(readers, items)
        return [self._answer(each, partitions[each.projection.entity.name], items, now_ms) for each in readers]

    def _reader(self, projection: ViewProjection) -> ItemReader:
        """The projection's reader, which holds it, so that its identity stays its own."""
        reader = self._readers.get(id(projection))
        if reader is None:
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            reader = self._readers[id(projection)] = ItemReader(projection)
        return reader

    def _watermark_keys(self, readers: Sequence[ItemReader]) -> list[ItemKey]:
        """The watermarks to read along: those that are worth telling and not known from a moment ago."""
        now_ms = self._clock.now_ms()
        keys = []
        for reader in readers:
            if not reader.has_as_of:
                continue
            known = self._watermarks.get(reader.sort_key)
            if known is None or not known.read_ms <= now_ms < known.read_ms + WATERMARK_CACHE_MS:
                keys.append((WATERMARK_KEY, reader.sort_key))
        return keys

    def _remember(self, readers: Sequence[ItemReader], items: Items) -> None:
        """Keep the watermarks among the items."""
        now_ms = self._clock.now_ms()
        for reader in readers:
            item = items.get((WATERMARK_KEY, reader.sort_key))
            if item is not None:
                self._watermarks[reader.sort_key] = _Watermark(int(item["w"]["N"]), now_ms)

    def _answer(self, reader: ItemReader, partitions: list[str | None], items: Items, now_ms: int) -> ViewAnswer:
        known = self._watermarks.get(reader.sort_key) if reader.has_as_of else None
        as_of_ms = known.as_of_ms if known else None
        withheld = reader.withheld(as_of_ms, now_ms)
        distinct = dict.fromkeys(partitions)
        found = [None if each is None else items.get((each, reader.sort_key)) for each in distinct]
        rows = reader.answers(found, now_ms, withheld)
        if len(distinct) < len(partitions):
            by_partition = dict(zip(distinct, rows, strict=True))
            rows = [by_partition[each] for each in partitions]
        return ViewAnswer(reader.projection, as_of_ms, rows)


def _partition_keys(reader: ItemReader, entity_rows: Sequence[Mapping[str, object]]) -> list[str | None]:
    """Each row's partition key of a view's entity, None where one of its key values is null."""
    names, spell, entity = reader.key_names, reader.partition_key, reader.projection.entity
    partitions: list[str | None] = []
    for i, row in enumerate(entity_rows):
        try:
            values = [row[name] for name in names]
            partitions.append(None if None in values else spell(values))
        except KeyError as error:
            raise EntityRowsError(
                f"entity row {i} has no column {error}, a join key of entity {entity.name!r}; it has {sorted(row)}"
            ) from None
        except EntityRowsError as error:
            raise EntityRowsError(f"entity row {i}: {error}") from None
    return partitions

"""Reads of the online store: the hot path of serving. Standard library only; the client is injected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from asof.clock import Clock, SystemClock
from asof.keys import WATERMARK_KEY
from asof.online.answers import Answers, ItemReader, ViewAnswer
from asof.online.fetch import Items, ReadClient, fetch
from asof.online.layout import Item
from asof.online.retry import RetryPolicy
from asof.online.rows import EntityColumns, EntityRows
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
        self, projections: Sequence[ViewProjection], entity_rows: EntityRows | EntityColumns, now_ms: int | None = None
    ) -> list[ViewAnswer]:
        """The views' answers at ``now_ms`` (default: the clock's now), one per projection.

        Each has one row per entity row, in order, duplicates included.
        A row holds at least the join keys. A null key matches nothing, so its features are NOT_FOUND.
        Raises EntityRowsError, naming the row, for a missing key or one of the wrong type; DeadlineExceededError where
        the store does not answer completely in time; StaleFeaturesError where a view says so; OnlineStoreError.
        """
        if now_ms is None:
            now_ms = self._clock.now_ms()
        rows = entity_rows if isinstance(entity_rows, EntityColumns) else EntityColumns(entity_rows)
        if not rows.count:
            return [ViewAnswer(projection, None, Answers([], [], [])) for projection in projections]
        readers = [self._reader(projection) for projection in projections]
        entities: dict[str, _Partitions] = {}
        for reader in readers:
            if reader.entity not in entities:
                entities[reader.entity] = _partitions(reader, rows)
        wanted = {reader.sort_key: entities[reader.entity].known for reader in readers}
        watermarks = self._unknown_watermarks(readers)
        for sort_key in watermarks:
            wanted[sort_key] = [*wanted[sort_key], WATERMARK_KEY]
        patience = self._retry.start(f"reading {sum(map(len, wanted.values()))} items of {self._table}")
        items = fetch(self._client, self._table, wanted, self._consistent, patience)
        self._remember(watermarks, items)
        return [self._answer(reader, entities[reader.entity], items[reader.sort_key], now_ms) for reader in readers]

    def _reader(self, projection: ViewProjection) -> ItemReader:
        """The projection's reader, which holds it, so that its identity stays its own."""
        reader = self._readers.get(id(projection))
        if reader is None:
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            reader = self._readers[id(projection)] = ItemReader(projection)
        return reader

    def _unknown_watermarks(self, readers: Sequence[ItemReader]) -> list[str]:
        """The sort keys of the watermarks to read along: worth telling, and not known from a moment ago."""
        sort_keys = []
        for reader in readers:
            if not reader.has_as_of:
                continue
            known, now_ms = self._watermarks.get(reader.sort_key), self._clock.now_ms()
            if known is None or not known.read_ms <= now_ms < known.read_ms + WATERMARK_CACHE_MS:
                sort_keys.append(reader.sort_key)
        return sort_keys

    def _remember(self, sort_keys: Sequence[str], items: Items) -> None:
        """Keep the watermarks that were read along."""
        for sort_key in sort_keys:
            item = items[sort_key].get(WATERMARK_KEY)
            if item is not None:
                self._watermarks[sort_key] = _Watermark(int(item["w"]["N"]), self._clock.now_ms())

    def _answer(
        self, reader: ItemReader, partitions: _Partitions, items: Mapping[str, Item], now_ms: int
    ) -> ViewAnswer:
        known = self._watermarks.get(reader.sort_key) if reader.has_as_of else None
        as_of_ms = known.as_of_ms if known else None
        answers = reader.answers(map(items.get, partitions.known), now_ms, reader.withheld(as_of_ms, now_ms))
        if partitions.places is not None:
            answers = answers.placed(partitions.places, reader.not_found)
        return ViewAnswer(reader.projection, as_of_ms, answers)


class _Partitions(NamedTuple):
    """The partition keys of entity rows: the ``known`` ones, each once.

    ``places`` has for each row the place of its key among those, and for a row with a null key, which matches nothing,
    the place after the last; None where every row has a key of its own.
    """

    known: list[str]
    places: list[int] | None


def _partitions(reader: ItemReader, rows: EntityColumns) -> _Partitions:
    """The rows' partition keys of a view's entity; raises EntityRowsError, naming the row."""
    spelled = reader.partition_keys([rows.column(name, reader.key_role) for name in reader.key_names])
    known = [each for each in dict.fromkeys(spelled) if each is not None]
    if len(known) == len(spelled):
        return _Partitions(known, None)
    place_of: dict[str | None, int] = {each: place for place, each in enumerate(known)}
    return _Partitions(known, [place_of.get(each, len(known)) for each in spelled])

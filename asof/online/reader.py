"""Reads of the online store: the hot path of serving. Standard library only; the client is injected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from asof.clock import Clock, SystemClock
from asof.errors import EntityRowsError
from asof.keys import WATERMARK_KEY, partition_key, sort_key
from asof.manifest import Entity, FeatureView
from asof.online.answers import ItemReader, RowAnswer, ViewAnswer
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
        self._readers: dict[tuple[str, tuple[str, ...]], ItemReader] = {}
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
        by_entity = {each.entity.name: each.entity for each in projections}
        partitions = {name: _partition_keys(entity, entity_rows) for name, entity in by_entity.items()}
        keys: dict[ItemKey, None] = {}
        for projection in projections:
            view_key = sort_key(projection.view.name, projection.view.version)
            keys |= dict.fromkeys((each, view_key) for each in partitions[projection.entity.name] if each is not None)
        keys |= dict.fromkeys(self._watermark_keys([each.view for each in projections]))
        patience = self._retry.start(f"reading {len(keys)} items of {self._table}")
        items = fetch(self._client, self._table, keys, self._consistent, patience)
        self._remember(items)
        return [self._answer(each, partitions[each.projection.entity.name], items, now_ms) for each in readers]

    def _reader(self, projection: ViewProjection) -> ItemReader:
        view = projection.view
        name = view.reference, tuple(feature.name for feature in projection.features)
        reader = self._readers.get(name)
        if reader is None or reader.projection.view is not view:  # the manifest was read anew
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            reader = self._readers[name] = ItemReader(projection)
        return reader

    def _watermark_keys(self, views: Sequence[FeatureView]) -> list[ItemKey]:
        """The watermarks to read along: those that are worth telling and not known from a moment ago."""
        now_ms = self._clock.now_ms()
        keys = []
        for view in views:
            if not _has_as_of(view):
                continue
            view_key = sort_key(view.name, view.version)
            known = self._watermarks.get(view_key)
            if known is None or not known.read_ms <= now_ms < known.read_ms + WATERMARK_CACHE_MS:
                keys.append((WATERMARK_KEY, view_key))
        return keys

    def _remember(self, items: Items) -> None:
        now_ms = self._clock.now_ms()
        for (partition, view), item in items.items():
            if partition == WATERMARK_KEY:
                self._watermarks[view] = _Watermark(int(item["w"]["N"]), now_ms)

    def _answer(self, reader: ItemReader, partitions: list[str | None], items: Items, now_ms: int) -> ViewAnswer:
        view = reader.projection.view
        view_key = sort_key(view.name, view.version)
        known = self._watermarks.get(view_key) if _has_as_of(view) else None
        as_of_ms = known.as_of_ms if known else None
        withheld = reader.withheld(as_of_ms, now_ms)
        answers: dict[str | None, RowAnswer] = {None: reader.not_found}
        for partition in partitions:
            if partition is None or partition in answers:
                continue
            item = items.get((partition, view_key))
            answers[partition] = reader.not_found if item is None else reader.answer(item, now_ms, withheld)
        return ViewAnswer(reader.projection, as_of_ms, [answers[each] for each in partitions])


def _has_as_of(view: FeatureView) -> bool:
    """Whether answers tell the view's watermark: an aggregation's event time alone says nothing of its age."""
    return view.freshness_ms is not None or view.kind == "aggregation"


def _partition_keys(entity: Entity, entity_rows: Sequence[Mapping[str, object]]) -> list[str | None]:
    """Each row's partition key of an entity, None where one of its key values is null."""
    names = [key.name for key in entity.join_keys]
    dtypes = [key.dtype for key in entity.join_keys]
    partitions: list[str | None] = []
    for i, row in enumerate(entity_rows):
        try:
            values = [row[name] for name in names]
            null = None in values
            partitions.append(None if null else partition_key(entity.name, list(zip(dtypes, values, strict=True))))
        except KeyError as error:
            raise EntityRowsError(
                f"entity row {i} has no column {error}, a join key of entity {entity.name!r}; it has {sorted(row)}"
            ) from None
        except EntityRowsError as error:
            raise EntityRowsError(f"entity row {i}: {error}") from None
    return partitions

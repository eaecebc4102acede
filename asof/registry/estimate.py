"""What a backfill will cost, from what can be measured before it runs. Pure; every number is an upper bound or says so.

Prices are those of us-east-1 in 2026, before any free tier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from asof.manifest import FeatureView, Manifest
from asof.materialize.intervals import query_dates
from asof.materialize.stages import Chunk, Run
from asof.registry.measure import SourceSize
from asof.registry.parts import columns_read
from asof.value_types import parse_type

ATHENA_DOLLARS_PER_BYTE: Final = 5 / 10**12
"""$5 per TB scanned (https://aws.amazon.com/athena/pricing/)."""

ATHENA_LEAST_BYTES: Final = 10 * 10**6
"""What a query is charged for at least."""

WRITE_DOLLARS: Final = 0.625 / 10**6
"""$0.625 per million write request units, on demand (https://aws.amazon.com/dynamodb/pricing/on-demand/)."""

WRITE_UNIT_BYTES: Final = 1024

_ITEM_BYTES: Final = 120  # keys, times and attribute names of an item
_TEXT_BYTES: Final = 24
_LIST_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would read, write and cost.

    ``source_rows``, ``rows`` (of history) and ``writes`` (items) are None where the rows of the source are not known;
    ``rows`` and ``writes`` are at most so many. Bytes are what Athena would charge for.
    """

    view: str
    source: str
    source_objects: int
    source_bytes: int
    source_rows: int | None
    queries: int
    scanned_bytes: int
    athena_dollars: float
    rows: int | None
    writes: int | None
    dynamodb_dollars: float | None
    assumptions: tuple[str, ...]

    @property
    def dollars(self) -> float:
        """All that is known of the cost."""
        return self.athena_dollars + (self.dynamodb_dollars or 0)


def estimate(manifest: Manifest, view: FeatureView, run: Run, size: SourceSize) -> Estimate:
    """The estimate of a run over a view whose source is of a size."""
    share = _share(manifest, view, size)
    scans = [_bytes(view, chunk, size) * share for chunk in run.chunks for _ in ("counts", "compute")]
    small = len(run.chunks) + (1 if view.online else 0)  # checks, and the load
    scanned = sum(max(math.ceil(each), ATHENA_LEAST_BYTES) for each in scans) + small * ATHENA_LEAST_BYTES
    events = _events(view, run, size)
    rows = None if events is None else events * _rows_per_event(view)
    writes = events if view.online else 0
    units = math.ceil((_ITEM_BYTES + sum(_feature_bytes(each.dtype) for each in view.features)) / WRITE_UNIT_BYTES)
    return Estimate(
        view=view.reference,
        source=view.source,
        source_objects=size.objects,
        source_bytes=size.bytes,
        source_rows=size.rows,
        queries=len(scans) + small,
        scanned_bytes=scanned,
        athena_dollars=scanned * ATHENA_DOLLARS_PER_BYTE,
        rows=rows,
        writes=writes,
        dynamodb_dollars=None if writes is None else writes * units * WRITE_DOLLARS,
        assumptions=tuple(_assumptions(view, size, units)),
    )


def _share(manifest: Manifest, view: FeatureView, size: SourceSize) -> float:
    """The share of a source's bytes that the columns read make up; all of them where that is not known."""
    if not size.shares:
        return 1.0
    read = {name.lower() for name in columns_read(manifest, view)}
    return sum(share for name, share in size.shares.items() if name.lower() in read)


def _bytes(view: FeatureView, chunk: Chunk, size: SourceSize) -> int:
    """The bytes a query over a chunk finds in the source: by date where there are dates, else everything."""
    if not size.by_date:
        return size.bytes
    dates = query_dates(view, chunk.from_ms, chunk.to_ms)
    return sum(n for day, n in size.by_date.items() if dates["source_from_date"] <= day <= dates["source_to_date"])


def _events(view: FeatureView, run: Run, size: SourceSize) -> int | None:
    """The rows of the source that the run's rows come from, each counted once; None where they are not known."""
    if size.rows is None or not size.bytes:
        return size.rows
    whole = Chunk(0, run.begin_ms, run.to_ms, run.begin_ms)
    return math.ceil(size.rows * _bytes(view, whole, size) / size.bytes)


def _rows_per_event(view: FeatureView) -> int:
    """An event changes an aggregation when it enters and when it leaves each of its windows; else it is a row."""
    return 1 + len({each.window_ms for each in view.aggregations})


def _feature_bytes(dtype: str) -> int:
    value_type = parse_type(dtype)
    if value_type.kind == "String":
        return _TEXT_BYTES
    if value_type.kind == "Embedding":
        return 4 * (value_type.dim or 1)
    return _LIST_BYTES if value_type.kind == "Array" else 9


def _assumptions(view: FeatureView, size: SourceSize, units: int) -> Iterator[str]:
    yield "$5 per TB that Athena scans, at least 10 MB per query; $0.625 per million writes to DynamoDB"
    if not size.by_date:
        yield "every query reads the source whole: it has no date partition"
    if not size.shares:
        yield "every query reads all columns: no Parquet footer could be read"
    if size.rows is not None and not size.counted:
        yield f"rows are extrapolated from the footers of a few of {size.objects:,} objects"
    if view.kind == "aggregation" and size.rows is not None:
        yield "rows: an event changes its entity once when it enters and once when it leaves each window, none coincide"
    if view.online:
        yield f"writes: as if every source row were another entity, {units} unit{'s' if units > 1 else ''} per item"
    yield "S3 requests and storage, Lambda and Step Functions come on top"

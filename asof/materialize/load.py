"""The load stage: the newest row per entity of a run, from the history to the online store, in flat memory."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import IO, Any, Final, cast

from asof.keys import KeyValue
from asof.manifest import FeatureView
from asof.materialize.ledger import ChunkRecord
from asof.materialize.services import Services
from asof.materialize.stages import Run
from asof.names import scratch_prefix
from asof.offline.objects import delete_prefix, list_objects
from asof.offline.queries import Query, Unload
from asof.online.client import online_client
from asof.online.codec import parse_text
from asof.online.layout import OnlineRow
from asof.online.writer import OnlineWriter
from asof.sql.binding import bind
from asof.value_types import parse_type

RENEW_EVERY: Final = 5_000
"""Rows between two renewals of the lease."""


def load_query(
    services: Services, view: FeatureView, run: Run, chunks: Sequence[ChunkRecord]
) -> tuple[Query, str] | None:
    """The query that unloads the newest row per entity of a run's committed rows, and the key prefix it writes to.

    None where the run committed no rows. Each call gives a prefix of its own, since an unload needs an empty one.
    """
    dates = [event_date for chunk in chunks for event_date in chunk.partitions]
    if not dates:
        return None
    prefix = scratch_prefix("load", f"{run.run_id}-{uuid.uuid4().hex}")
    values: dict[str, int | str] = {"from_date": min(dates), "to_date": max(dates), "run": f"{run.run_id}-"}
    place = Unload(f"s3://{services.environment.offline_bucket}/{prefix}", "JSON", "GZIP")
    return Query("load", bind(view.queries["latest"], values), prefix, place), prefix


def load(
    services: Services, view: FeatureView, run: Run, chunks: Sequence[ChunkRecord], renew: Callable[[], None]
) -> int:
    """Write the newest row per entity of the run's committed rows; older rows never replace newer ones.

    Returns how many items changed. ``renew`` keeps the lease while many rows are on their way.
    """
    planned = load_query(services, view, run, chunks)
    if planned is None:
        return 0
    query, prefix = planned
    query.ask(services.queries, view.reference)
    bucket = services.environment.offline_bucket
    keys = [each.key for each in list_objects(services.s3, bucket, prefix)]
    rows = (row for key in keys for row in online_rows(services, view, key))
    writer = OnlineWriter(online_client(services.online), services.environment.online_table)
    written = writer.write(view, services.entity(view), _renewing(rows, renew)).written
    delete_prefix(services.s3, bucket, prefix)
    return written


def online_rows(services: Services, view: FeatureView, key: str) -> Iterator[OnlineRow]:
    """The rows of one unloaded object of the offline bucket, typed, one line of JSON at a time."""
    keys = [(f"k{i}", column.dtype) for i, column in enumerate(services.entity(view).join_keys)]
    features = [(f"f{i}", parse_type(feature.dtype)) for i, feature in enumerate(view.features)]
    body = services.s3.get_object(Bucket=services.environment.offline_bucket, Key=key)["Body"]
    with gzip.open(cast("IO[bytes]", body)) as lines:
        for line in lines:
            row = json.loads(line)
            yield OnlineRow(
                keys=[_key(dtype, row[name]) for name, dtype in keys],
                event_ms=int(row["e"]),
                created_ms=int(row["c"]),
                values=[parse_text(value_type, row.get(name)) for name, value_type in features],
            )


def _key(dtype: str, value: Any) -> KeyValue:
    """A key value from JSON, where only dates have no form of their own."""
    key: KeyValue = date.fromisoformat(value) if dtype == "Date" else value
    return key


def _renewing(rows: Iterator[OnlineRow], renew: Callable[[], None]) -> Iterator[OnlineRow]:
    for number, row in enumerate(rows, start=1):
        if number % RENEW_EVERY == 0:
            renew()
        yield row

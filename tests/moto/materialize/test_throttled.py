"""A run in-process outlasts a control table that throttles: its lease, its ledger, and what it reads of them."""

from __future__ import annotations

from asof.clock import DAY_MS, ManualClock
from asof.local import LocalCloud
from tests.support.manifests import HOUR, a_source, an_aggregation_view
from tests.support.world import World, a_manifest

NOW = 20_000 * DAY_MS
VIEW = an_aggregation_view(freshness_ms=2 * HOUR)


def test_throttled_leases_and_records_are_tried_again() -> None:
    """Each operation is refused once; the run is published, and its lease is free."""
    with LocalCloud() as cloud:
        world = World(cloud, a_manifest([VIEW], a_source()), ManualClock(NOW))
        world.arrive([{"origin": "JFK", "delay": 1.0, "departed_at": NOW - HOUR}])
        for operation in ("UpdateItem", "TransactWriteItems", "Query", "GetItem"):
            cloud.faults.throttle("dynamodb", operation)
        (record,) = world.store.materialize_incremental()
        assert cloud.faults.pending == 0
        assert (record.state, record.rows > 0) == ("published", True)
        assert world.store.materialize_incremental() == []

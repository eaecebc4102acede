"""Histories that Asof's own runs wrote, read by Trino through the catalogue entries that Asof registered.

Every statement that runs, loads and training sets send to Athena is put to both; the answers are equal. UNLOAD itself
is Athena's alone: what Trino is asked is the SELECT in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from asof.clock import from_ms
from asof.sql.binding import bind
from tests.support.shop_world import BEGIN_MS, HOUR, ShopWorld, shop_world
from tests.support.tally import Tally
from tests.support.trino_mirror import Mirror, mirrored

FEATURES = [
    *(f"shop_sales:{each}" for each in ("count_1h", "amount_sum_6h", "amount_stddev_6h", "buyer_first_6h")),
    *(f"last_sale:{each}" for each in ("amount", "paid_at", "due", "tags", "prices", "taste", "buyer")),
    "worth:total",
    "buyer_visits:minutes_sum_2h",
]


def work(world: ShopWorld) -> None:
    """A backfill, and incremental runs while rows keep coming, too late ones among them."""
    world.arrive(120, 40)
    start = from_ms(BEGIN_MS - 8 * HOUR)
    names = [view.name for view in world.store.views()]
    world.store.backfill(names, start, from_ms(BEGIN_MS), chunk="12h", workers=1)
    for _ in range(2):
        world.clock.set(world.clock.now_ms() + 3 * HOUR)
        world.arrive(60, 20)
        world.store.materialize_incremental()


def train(world: ShopWorld) -> None:
    """Training sets by both rules, pinned, of a frame, of a query and of Parquet in S3, and exported."""
    labels = world.labels(300)
    ask = world.store.get_historical_features
    ask(labels, FEATURES, full_feature_names=True).to_pandas()
    ask(labels, FEATURES, as_of="event", full_feature_names=True).to_arrow()
    ask(labels, FEATURES, known_as_of=from_ms(BEGIN_MS), full_feature_names=True).to_arrow()
    rows = "SELECT city, no, buyer, sold_at AS event_timestamp FROM src_sales WHERE city IS NOT NULL AND buyer <> ''"
    ask(rows, FEATURES, full_feature_names=True).to_s3(f"s3://{world.bucket}/exported/")
    ask(f"s3://{world.bucket}/exported/", ["shop_sales:count_3h", "worth:who"]).to_arrow()


def ask_everything(world: ShopWorld, mirror: Mirror) -> Counter[str]:
    """Every query of the manifest over the whole time, and over staging tables; how many were asked by question."""
    asked: Counter[str] = Counter()
    now = world.clock.now_ms()
    values: dict[str, Any] = {
        **dict.fromkeys(("begin_ms", "from_ms"), BEGIN_MS - 8 * HOUR),
        **dict.fromkeys(("to_ms", "now_ms", "known_ms"), now + 2 * HOUR),
        "on_time_ms": BEGIN_MS,
        **dict.fromkeys(("from_date", "source_from_date"), "2024-02-01"),
        **dict.fromkeys(("to_date", "source_to_date"), "2024-04-01"),
        "run": "",
    }
    for view in world.store.manifest.feature_views:
        for question, text in view.queries.items():
            mirror.ask(bind(text, values), world.store.services.environment.database)
            asked[question] += 1
    return asked


@pytest.mark.parametrize("seed", [1, 2])
def test_every_statement_is_answered_alike(
    opened: Callable[[str], Any], tally: Tally, tmp_path: Path, seed: int
) -> None:
    """Runs that begin, look back, quarantine, check, compute and load; training sets; and every query once more."""
    trino = opened("trino")
    with shop_world(trino.cloud, tmp_path, seed) as world, mirrored(trino) as mirror:
        work(world)
        during = len(mirror.statements)
        train(world)
        joins = len(mirror.statements) - during
        asked = ask_everything(world, mirror)
        assert not mirror.differences, "\n\n".join(mirror.differences)
        assert during > 30
        assert joins > 10
        assert set(asked) == {"compute", "counts", "quarantine", "check", "check_failures", "latest"}
        tally.add("trino beside the local Athena", mirror.values)
        print(
            f"{len(mirror.statements)} statements, {mirror.unloads} of them UNLOAD, {mirror.values} values, "
            f"{mirror.rounded} of them doubles in which the last digits differ"
        )
        assert world.clock.now_ms() == BEGIN_MS + timedelta(hours=6) / timedelta(milliseconds=1)

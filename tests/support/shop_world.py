"""A store with a view of every kind, every function and every type, whose rows arrive late, twice and without keys."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pandas as pd
import pyarrow as pa

from asof.clock import DAY_MS, ManualClock
from asof.definitions import compile_path
from asof.local.provision import provision
from asof.local.server.local_server import LocalServer
from asof.materialize.services import Services
from asof.names import Environment
from asof.offline.parquet import write_object
from asof.store import FeatureStore

BUCKET = "raw-sales"
HOUR = 3_600_000
BEGIN_MS = 19_782 * DAY_MS + 20 * HOUR
"""Four hours before the end of a leap day, so that runs cross two dates."""

DEFINITIONS = """\
from asof.definitions import (
    Aggregation, Array, BatchSource, Bool, Date, Embedding, Entity, FeatureView, Field, Float64, Int64, String,
    Timestamp,
)

shop = Entity(name="shop", join_keys={"city": String, "no": Int64}, description="A shop of a city.")
buyer = Entity(name="buyer", join_keys={"buyer": String}, description="Who buys.")

sales = BatchSource(
    name="sales", path="s3://raw-sales/sales/", timestamp_field="sold_at", created_timestamp_column="known_at",
    date_partition_column="day", lateness="3h",
    schema={
        "city": String, "no": Int64, "buyer": String, "amount": Float64, "items": Int64, "paid_at": Timestamp,
        "member": Bool, "due": Date, "tags": Array(String), "prices": Array(Float64), "taste": Embedding(2),
    },
)
visits = BatchSource(
    name="visits", path="s3://raw-sales/visits/", timestamp_field="came_at", schema={"buyer": String, "minutes": Int64},
)

shop_sales = FeatureView(
    name="shop_sales", entity=shop, source=sales, schedule="1h", publish_delay="5m",
    where="buyer IS NULL OR buyer <> 'it''s nobody'", owner="sales", description="What a shop sold.",
    aggregations=[
        Aggregation(function="count", time_windows=["1h", "3h"]),
        Aggregation(function="count", column="amount", time_window="3h"),
        Aggregation(function="sum", column="amount", time_windows=["1h", "6h"], default=0.0),
        Aggregation(function="sum", column="items", time_window="3h"),
        Aggregation(function="mean", column="amount", time_window="6h"),
        Aggregation(function="min", column="amount", time_window="3h"),
        Aggregation(function="max", column="amount", time_window="6h"),
        Aggregation(function="stddev", column="amount", time_window="6h"),
        Aggregation(function="last", column="amount", time_window="3h"),
        Aggregation(function="first", column="buyer", time_window="6h", default="-"),
        Aggregation(function="last", column="paid_at", time_window="6h"),
        Aggregation(function="max", column="due", time_window="3h"),
        Aggregation(function="count_distinct", column="buyer", time_windows=["1h", "6h"]),
    ],
)
last_sale = FeatureView(
    name="last_sale", entity=shop, source=sales, schedule="1h", ttl="3h", owner="sales", description="The last sale.",
    schema=[
        Field(name="amount", dtype=Float64), Field(name="items", dtype=Int64), Field(name="paid_at", dtype=Timestamp),
        Field(name="member", dtype=Bool), Field(name="due", dtype=Date), Field(name="tags", dtype=Array(String)),
        Field(name="prices", dtype=Array(Float64)), Field(name="taste", dtype=Embedding(2), default=[0.5, -1.0]),
        Field(name="buyer", dtype=String, default="it's nobody: :x"),
    ],
)
worth = FeatureView(
    name="worth", entity=shop, source=sales, schedule="1h", owner="sales", description="What the last sale was worth.",
    sql="SELECT city, no, sold_at, known_at, amount * items AS total, upper(buyer) AS who FROM sales WHERE items > 0",
    schema=[Field(name="total", dtype=Float64), Field(name="who", dtype=String)],
)
buyer_visits = FeatureView(
    name="buyer_visits", entity=buyer, source=visits, schedule="2h", owner="sales", description="How long one stays.",
    aggregations=[
        Aggregation(function="sum", column="minutes", time_windows=["2h", "12h"]),
        Aggregation(function="mean", column="minutes", time_window="12h"),
    ],
)
"""

_CITIES = ("Rome", "rome", "S\u00e3o Paulo", "")
_BUYERS = ("Ada", "it's nobody", "\u4e2d\U0001f600", "", None, "Bob")
_SALES = pa.schema(
    {
        "city": pa.string(),
        "no": pa.int64(),
        "buyer": pa.string(),
        "amount": pa.float64(),
        "items": pa.int64(),
        "paid_at": pa.timestamp("ms"),
        "member": pa.bool_(),
        "due": pa.date32(),
        "tags": pa.list_(pa.string()),
        "prices": pa.list_(pa.float64()),
        "taste": pa.list_(pa.float32()),
        "sold_at": pa.timestamp("ms"),
        "known_at": pa.timestamp("ms"),
    }
)
_VISITS = pa.schema({"buyer": pa.string(), "minutes": pa.int64(), "came_at": pa.timestamp("ms")})


@dataclass
class ShopWorld:
    """The store in a local cloud that runs as a server, ``s3`` to put rows into ``bucket``, and ``clock`` to move."""

    store: FeatureStore
    bucket: str
    s3: Any
    clock: ManualClock
    chance: random.Random
    _objects: int = 0

    def arrive(self, sales: int, visits: int) -> None:
        """Rows of the last hours reach the sources: some late, some twice, a few without a key."""
        rows = [self._sale() for _ in range(sales)]
        rows += rows[: sales // 10]
        for day in sorted({each["sold_at"].date() for each in rows}):
            own = [each for each in rows if each["sold_at"].date() == day]
            self._put(pa.Table.from_pylist(own, schema=_SALES), f"sales/day={day}/")
        came = [
            {"buyer": self.chance.choice(_BUYERS), "minutes": self._maybe(self.chance.randrange(90)), "came_at": at}
            for at in (self._lately() for _ in range(visits))
        ]
        self._put(pa.Table.from_pylist(came, schema=_VISITS), "visits/")

    def labels(self, count: int) -> pd.DataFrame:
        """Entity rows: known and unknown keys, at instants around everything that happened."""
        start = _naive(BEGIN_MS - 5 * HOUR)
        spread_ms = self.clock.now_ms() - BEGIN_MS + 8 * HOUR
        rows = [
            {
                "city": self.chance.choice([*_CITIES, "Paris"]),
                "no": self.chance.randrange(4),
                "buyer": self.chance.choice([each for each in _BUYERS if each is not None]),
                "event_timestamp": start + timedelta(milliseconds=self.chance.randrange(spread_ms)),
            }
            for _ in range(count)
        ]
        return pd.DataFrame(rows)

    def _sale(self) -> dict[str, Any]:
        known = self._lately()
        late = timedelta(milliseconds=self.chance.choice([0, 0, 0, self.chance.randrange(3 * HOUR), 5 * HOUR]))
        chance = self.chance
        return {
            "city": chance.choice([*_CITIES, *_CITIES, None]) if chance.random() < 0.1 else chance.choice(_CITIES),
            "no": chance.randrange(3),
            "buyer": chance.choice(_BUYERS),
            "amount": self._maybe(float("nan") if chance.random() < 0.05 else chance.randint(-80, 800) / 8),
            "items": self._maybe(chance.randrange(5)),
            "paid_at": self._maybe(known - timedelta(days=20_000)),
            "member": self._maybe(chance.random() < 0.5),
            "due": self._maybe(date(2024, 2, 29) + timedelta(days=chance.randrange(400))),
            "tags": self._maybe(["a", "it's"][: chance.randrange(3)]),
            "prices": self._maybe([0.5, float("inf")][: chance.randrange(3)]),
            "taste": self._maybe([0.1, -1.25]),
            "sold_at": known - late,
            "known_at": known,
        }

    def _maybe(self, value: Any) -> Any:
        return None if self.chance.random() < 0.15 else value

    def _lately(self) -> datetime:
        return _naive(self.clock.now_ms() - self.chance.randrange(6 * HOUR))

    def _put(self, table: pa.Table, folder: str) -> None:
        self._objects += 1
        write_object(self.s3, table, f"s3://{self.bucket}/{folder}{self._objects:05d}.parquet")


@contextmanager
def shop_world(cloud: LocalServer, folder: Path, seed: int) -> Iterator[ShopWorld]:
    """The store of the definitions above, published and ready; ``folder`` takes the definitions.

    A cloud has room for one per seed: its environment and its bucket are called by it.
    """
    bucket = f"{BUCKET}-{seed}"
    (folder / "shops.py").write_text(DEFINITIONS.replace(f"s3://{BUCKET}/", f"s3://{bucket}/"))
    environment = Environment(f"shops{seed}", cloud.account, cloud.region)
    with patch.dict("os.environ", cloud.client_environment()):
        session = boto3.Session(region_name=cloud.region)
        s3: Any = session.client("s3")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.region})
        provision(session, environment)
        clock = ManualClock(BEGIN_MS)
        with FeatureStore(Services.connect(environment, compile_path(folder), session, clock)) as store:
            store.apply()
            yield ShopWorld(store, bucket, s3, clock, random.Random(seed))


def _naive(instant_ms: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(milliseconds=instant_ms)  # noqa: DTZ001  # as Parquet of Athena holds it

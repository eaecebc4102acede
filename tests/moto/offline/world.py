"""A small made-up world: definitions of every type, a history full of ties and gaps, labels, and the right answers.

The answers come from plain Python loops that follow semantics.md section 3 and share nothing with the product's SQL.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from asof.manifest import Column, Entity, Feature, FeatureView, Manifest, OnDemandFeatureView, OnDemandInput
from asof.names import Environment, attempt_prefix, history_table
from asof.offline.partitions import register, written_partitions
from asof.offline.tables import ensure_tables

START = datetime(2020, 1, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DAY_MS = 86_400_000

Row = dict[str, Any]

AIRPORT = Entity("airport", (Column("origin", "String"),))
ROUTE = Entity("route", (Column("origin", "String"), Column("number", "Int64")))

LEGS = FeatureView(
    name="legs",
    version=1,
    entity="route",
    source="raw",
    kind="passthrough",
    features=(
        Feature("delay", "Float64", default=-1.5),
        Feature("tail", "String", default='it\'s "none"'),
        Feature("flown", "Date"),
    ),
    ttl_ms=DAY_MS,
)
WEATHER = FeatureView(
    name="weather",
    version=1,
    entity="airport",
    source="raw",
    kind="passthrough",
    features=(
        Feature("wind", "Float64"),
        Feature("observed", "Timestamp", default="1999-12-31T23:59:59.999Z"),
        Feature("storm", "Bool", default=False),
        Feature("gusts", "Array<Float64>"),
    ),
)
TRAFFIC_V1 = FeatureView(
    "traffic", 1, "airport", "raw", "passthrough", (Feature("departures", "Int64", default=0),), deprecated=True
)
TRAFFIC = FeatureView(
    "traffic",
    2,
    "airport",
    "raw",
    "passthrough",
    (Feature("departures", "Int64", default=0), Feature("shape", "Embedding<2>"), Feature("wind", "Float64")),
    ttl_ms=0,
)
RISK = OnDemandFeatureView(
    name="risk",
    version=1,
    inputs=(
        OnDemandInput("planned", "Timestamp"),
        OnDemandInput("seats", "Int64"),
        OnDemandInput("late", "Float64", "legs", 1, "delay"),
        OnDemandInput("observed", "Timestamp", "weather", None, "observed"),
    ),
    features=(Feature("score", "Float64"), Feature("since", "Int64")),
    function="risk",
    code=(
        "def risk(inputs):\n"
        "    known = inputs['late'] is not None and inputs['seats'] is not None\n"
        "    age = inputs['planned'] - inputs['observed'] if inputs['observed'] is not None else None\n"
        "    return {\n"
        "        'score': inputs['late'] * inputs['seats'] if known else None,\n"
        "        'since': None if age is None else int(age.total_seconds()),\n"
        "    }\n"
    ),
)
MANIFEST = Manifest((AIRPORT, ROUTE), (), (LEGS, TRAFFIC_V1, TRAFFIC, WEATHER), (RISK,))

ORIGINS = ["JFK", "EWR", "J'F#K%", ""]
NUMBERS = [1, 11, 12]
ARROW = {
    "Int64": pa.int64(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "String": pa.string(),
    "Timestamp": pa.timestamp("ms"),
    "Date": pa.date32(),
    "Array<Float64>": pa.list_(pa.float64()),
    "Embedding<2>": pa.list_(pa.float32()),
}


def a_value(rng: random.Random, dtype: str) -> Any:
    """A value of a type, or None; few different ones, so that ties are many."""
    if rng.random() < 0.2:
        return None
    number = rng.randrange(3)
    return {
        "Int64": number,
        "Float64": number + 0.25,
        "Bool": bool(number % 2),
        "String": ["", "N1", "o'N"][number],
        "Timestamp": START + timedelta(hours=number, milliseconds=number),
        "Date": date(2020, 2, 28) + timedelta(number),
        "Array<Float64>": [0.5] * number,
        "Embedding<2>": [number / 4, 1.0],
    }[dtype]


def a_history(view: FeatureView, seed: int, rows: int = 120) -> list[Row]:
    """A foreign history: ties in everything, rows known late, created times that are missing."""
    rng = random.Random(f"{view.reference}{seed}")
    found: dict[tuple[Any, ...], Row] = {}
    for _ in range(rows):
        event = START + rng.randrange(60) * HOUR
        known = event + rng.choice([timedelta(0), timedelta(milliseconds=1), 2 * HOUR, 30 * HOUR])
        row: Row = {"origin": rng.choice(ORIGINS), "number": rng.choice(NUMBERS)}
        row |= {
            "event_timestamp": event,
            "created_timestamp": rng.choice([None, event, known]),
            "available_timestamp": known,
            **{feature.name: a_value(rng, feature.dtype) for feature in view.features},
        }
        found[tuple(str(value) for value in row.values())] = row
    return list(found.values())


def labels(seed: int, rows: int = 80) -> list[Row]:
    """Entity rows with duplicates, unseen and missing keys, labels beside the edges, own columns."""
    rng = random.Random(seed)
    some: list[Row] = [
        {
            "origin": rng.choice([*ORIGINS, "LGA", None]),
            "number": rng.choice([*NUMBERS, 2, None]),
            "event_timestamp": START + rng.randrange(90) * HOUR + timedelta(milliseconds=rng.choice([0, 0, 1, -1])),
            "planned": START + rng.randrange(90) * HOUR,
            "seats": rng.choice([None, 1, 100]),
        }
        for _ in range(rows)
    ]
    doubled = [*some, *rng.choices(some, k=rows // 4)]
    return [{**row, "i": i, "note": f"row {i}"} for i, row in enumerate(doubled)]


def lowest_null(value: Any) -> tuple[bool, Any]:
    """Sorts NULL below every value."""
    return (value is not None, value if value is not None else 0)


def chosen(
    view: FeatureView,
    keys: Sequence[str],
    history: Sequence[Row],
    label: Row,
    *,
    as_of: str,
    known_as_of: datetime | None,
) -> Row | None:
    """The feature row an entity row sees, or None."""
    instant = "available_timestamp" if as_of == "served" else "event_timestamp"
    at = label["event_timestamp"]
    visible = [
        row
        for row in history
        if all(label[key] is not None and row[key] == label[key] for key in keys)
        and row[instant] <= at
        and (known_as_of is None or row["created_timestamp"] is None or row["created_timestamp"] <= known_as_of)
    ]
    if not visible:
        return None
    order = ["event_timestamp", "created_timestamp", *(feature.name for feature in view.features)]
    best = max(visible, key=lambda row: [lowest_null(row[each]) for each in order])
    expired = view.ttl_ms and best["event_timestamp"] < at - timedelta(milliseconds=view.ttl_ms)
    return None if expired else best


def default(feature: Feature) -> Any:
    """A declared default as a Python value."""
    if feature.dtype == "Timestamp" and feature.default is not None:
        return datetime.fromisoformat(feature.default)
    return feature.default


def right_answer(
    world: Mapping[str, Sequence[Row]], label: Row, as_of: str = "served", known_as_of: datetime | None = None
) -> Row:
    """All features of all views for one entity row, by full name, those of on-demand views included."""
    answer: Row = {}
    for view, entity in ((LEGS, ROUTE), (WEATHER, AIRPORT), (TRAFFIC, AIRPORT)):
        keys = [key.name for key in entity.join_keys]
        row = chosen(view, keys, world[view.reference], label, as_of=as_of, known_as_of=known_as_of)
        for feature in view.features:
            answer[f"{view.name}__{feature.name}"] = default(feature) if row is None else row[feature.name]
    late, seats, observed = answer["legs__delay"], label["seats"], answer["weather__observed"]
    answer["risk__score"] = None if late is None or seats is None else late * seats
    answer["risk__since"] = None if observed is None else int((label["planned"] - observed).total_seconds())
    return answer


def write_history(s3: Any, glue: Any, environment: Environment, view: FeatureView, rows: Sequence[Row]) -> None:
    """Put rows where a run would have put them, in two attempts, and register the partitions."""
    keys = {"airport": AIRPORT, "route": ROUTE}[view.entity].join_keys
    typed = {key.name: ARROW[key.dtype] for key in keys}
    typed |= dict.fromkeys(("event_timestamp", "created_timestamp", "available_timestamp"), pa.timestamp("ms"))
    typed |= {feature.name: ARROW[feature.dtype] for feature in view.features}
    schema = pa.schema(list(typed.items()))
    for attempt in ("a", "b"):
        prefix = attempt_prefix(view.name, view.version, attempt)
        for day, each in by_day(rows[::2] if attempt == "a" else rows[1::2]):
            plain = [{name: unzoned(row[name]) for name in typed} for row in each]
            body = parquet(pa.Table.from_pylist(plain, schema))
            s3.put_object(Bucket=environment.offline_bucket, Key=f"{prefix}event_date={day}/0.parquet", Body=body)
        partitions = written_partitions(s3, environment.offline_bucket, prefix)
        register(glue, environment.database, history_table(view.name, view.version), partitions)


def build(s3: Any, glue: Any, environment: Environment, seed: int = 0) -> dict[str, list[Row]]:
    """The world in S3 and Glue; gives the histories by view reference."""
    ensure_tables(glue, environment, MANIFEST)
    world = {view.reference: a_history(view, seed) for view in (LEGS, WEATHER, TRAFFIC)}
    for view in (LEGS, WEATHER, TRAFFIC):
        write_history(s3, glue, environment, view, world[view.reference])
    return world


def by_day(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows by the UTC date of their event time."""
    days: dict[str, list[Row]] = {}
    for row in rows:
        days.setdefault(row["event_timestamp"].date().isoformat(), []).append(row)
    yield from days.items()


def unzoned(value: Any) -> Any:
    """An instant as Parquet of Athena holds it: UTC, without saying so."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet object."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()

"""Whatever is defined, its manifest reads back as it was written, and is the same in any order of definition."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asof.definitions import (
    Aggregation,
    Array,
    BatchSource,
    Bool,
    Date,
    Definitions,
    Embedding,
    Entity,
    Every,
    FeatureService,
    FeatureView,
    Field,
    Float64,
    Int64,
    String,
    Timestamp,
    compile_definitions,
)
from asof.manifest import Manifest
from asof.value_types import KEY_TYPES, ValueType, parse_type

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
TAGS = st.dictionaries(WORDS, WORDS, max_size=2)
WINDOWS: st.SearchStrategy[Any] = st.sampled_from(["5m", "1h", "24h", "7d", timedelta(minutes=90)])

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float64": st.floats() | st.integers(-1000, 1000),
    "Bool": st.booleans(),
    "String": st.text(st.characters(codec="utf-8")),
    "Timestamp": st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001 - aware below
    "Date": st.dates(min_value=date(1900, 1, 1)),
}
SCALARS = st.sampled_from([Int64, Float64, Bool, String, Timestamp, Date])
TYPES = SCALARS | SCALARS.map(Array) | st.integers(1, 4).map(Embedding)


def _values(dtype: ValueType) -> st.SearchStrategy[Any]:
    if dtype.kind == "Embedding":
        return st.lists(st.floats(width=32), min_size=dtype.dim or 0, max_size=dtype.dim)
    if dtype.kind == "Array":
        return st.lists(VALUES[str(dtype.item)], max_size=3)
    return VALUES[dtype.kind]


@st.composite
def entities(draw: st.DrawFn, number: int) -> Entity:
    types = draw(st.lists(st.sampled_from(KEY_TYPES), min_size=1, max_size=3))
    keys = {f"key{number}_{i}": parse_type(kind) for i, kind in enumerate(types)}
    return Entity(name=f"entity{number}", join_keys=keys, description=draw(WORDS), owner=draw(WORDS), tags=draw(TAGS))


@st.composite
def sources(draw: st.DrawFn, entity: Entity, number: int) -> BatchSource:
    types = draw(st.lists(TYPES, min_size=1, max_size=4))
    schema = dict(entity.join_keys) | {f"column{i}": dtype for i, dtype in enumerate(types)} | {"amount": Int64}
    place: dict[str, str] = draw(
        st.sampled_from([{"table": "db.t"}, {"path": "s3://bucket-1/a/b"}, {"path": "s3://bucket-1/a/"}])
    )
    return BatchSource(
        name=f"source{number}",
        schema=schema,
        timestamp_field="happened_at",
        created_timestamp_column=draw(st.sampled_from([None, "seen_at"])),
        date_partition_column=draw(st.sampled_from([None, "day"])),
        lateness=draw(WINDOWS | st.just(0)),
        **place,  # type: ignore[arg-type]  # a table or a path, both text
    )


@st.composite
def views(draw: st.DrawFn, number: int) -> FeatureView:
    entity = draw(entities(number))
    source = draw(sources(entity, number))
    arguments: dict[str, Any] = {
        "name": f"view{number}",
        "version": draw(st.integers(1, 3)),
        "entity": entity,
        "source": source,
        "where": draw(st.sampled_from([None, "amount > 1", "NOT (amount = 1 OR amount IS NULL)"])),
        "schedule": draw(WINDOWS | WINDOWS.map(lambda step: Every(step, offset="1m"))),
        "publish_delay": draw(WINDOWS | st.just(0)),
        "on_stale": draw(st.sampled_from(["serve", "default", "fail"])),
        "online": draw(st.booleans()),
        "description": draw(WORDS),
        "tags": draw(TAGS),
    }
    columns = [each for each in source.fields if each.name.startswith("column")]
    kind = draw(st.sampled_from(["aggregation", "sql", "passthrough"]))
    if kind == "aggregation":
        windows = draw(st.lists(WINDOWS, min_size=1, max_size=3, unique_by=str))
        arguments["aggregations"] = [
            Aggregation(function="count", time_windows=windows, default=draw(st.none() | VALUES["Int64"])),
            Aggregation(function=draw(st.sampled_from(["sum", "mean", "max"])), column="amount", time_windows=windows),
        ]
        return FeatureView(**arguments)
    fields = [
        Field(name=each.name, dtype=each.dtype, default=draw(st.none() | _values(each.dtype)), description=draw(WORDS))
        for each in columns
    ]
    if kind == "sql":
        needed = [*entity.join_keys, "happened_at", *(each.name for each in fields)]
        needed += [source.created_timestamp_column] if source.created_timestamp_column else []
        arguments["sql"] = f"SELECT {', '.join(needed)} FROM {source.name} WHERE amount > 0"
    return FeatureView(**arguments, schema=fields, ttl=draw(st.none() | WINDOWS))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 3))
def test_a_manifest_reads_back_as_it_was_written(data: st.DataObject, count: int) -> None:
    made = [data.draw(views(number)) for number in range(count)]
    service = FeatureService(name="model", features=made, description=data.draw(WORDS))
    first = compile_definitions(Definitions.of([*made, service]))
    assert Manifest.from_json(first.to_json()) == first
    again = compile_definitions(Definitions.of(data.draw(st.permutations([*made, service]))))
    assert again.to_json() == first.to_json()

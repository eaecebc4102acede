"""One point-in-time problem, to be put to the naive oracle and to any engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from asof.clock import utc_date
from asof.manifest import Column, Entity, Feature, FeatureView
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest
from asof.value_types import parse_type
from tests.support.pit_oracle import OracleView, Row, naive_join

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # DuckDB's timestamps have no zone


@dataclass(frozen=True)
class Table:
    """A table to create: Glue's types by column, and rows, which may lack columns and have others besides."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class CaseView:
    """A view with its rows (as the oracle takes them) and what is asked of it: output column -> feature."""

    name: str
    entity: Entity
    dtypes: Mapping[str, str]
    rows: Sequence[Row]
    outputs: Mapping[str, str]
    ttl_ms: int | None = None
    publish_delay_ms: int = 0
    defaults: Mapping[str, Any] = field(default_factory=dict)
    event_output: str | None = None

    def request(self) -> ViewRequest:
        """The view as the product is asked for it."""
        features = tuple(Feature(name, kind, _json(self.defaults.get(name))) for name, kind in self.dtypes.items())
        view = FeatureView(
            self.name,
            1,
            self.entity.name,
            "source",
            "passthrough",
            features,
            ttl_ms=self.ttl_ms,
            publish_delay_ms=self.publish_delay_ms,
        )
        asked = tuple((feature, output) for output, feature in self.outputs.items())
        return ViewRequest(view, self.entity, asked, event_timestamp=self.event_output)

    def oracle(self) -> OracleView:
        """The view as the oracle is asked for it."""
        keys = tuple(key.name for key in self.entity.join_keys)
        declared = tuple(self.dtypes)
        return OracleView(keys, self.rows, declared, self.outputs, self.ttl_ms, self.defaults, self.event_output)


@dataclass(frozen=True)
class Case:
    """Entity rows (with ``row_id``, keys, ``label`` in milliseconds and ``note``), views, and the rule."""

    entity_rows: Sequence[Row]
    views: Sequence[CaseView]
    as_of: Literal["served", "event"] = "served"
    known_as_of_ms: int | None = None
    pruned: bool = False
    label_micros: int = 0

    def request(self) -> PointInTimeRequest:
        """The case as the product is asked it."""
        labels = [row["label"] for row in self.entity_rows if row["label"] is not None]
        return PointInTimeRequest(
            entity_rows="entity_rows",
            row_id="row_id",
            label="label",
            views=tuple(view.request() for view in self.views),
            carry=("note",),
            as_of=self.as_of,
            known_as_of_ms=self.known_as_of_ms,
            label_bounds_ms=(min(labels), max(labels)) if self.pruned and labels else None,
        )

    def expected(self) -> list[dict[str, Any]]:
        """The oracle's answer, in order of row id, with the carried column."""
        rows = sorted(self.entity_rows, key=lambda row: int(row["row_id"]))
        answers = naive_join(rows, [view.oracle() for view in self.views], self.as_of, self.known_as_of_ms)
        return [answer | {"note": row["note"]} for row, answer in zip(rows, answers, strict=True)]

    def tables(self) -> Iterator[Table]:
        """The tables that the request names."""
        kinds = {key.name: key.dtype for view in self.views for key in view.entity.join_keys}
        micros = timedelta(microseconds=self.label_micros)
        rows = [row | {"label": _instant(row["label"], micros)} for row in map(dict, self.entity_rows)]
        yield _table("entity_rows", {"row_id": "Int64", **kinds, "label": "Timestamp", "note": "String"}, rows)
        for view in self.views:
            keys = {key.name: key.dtype for key in view.entity.join_keys}
            times = {f"{each}_timestamp": "Timestamp" for each in ("event", "created", "available")}
            stored = [row | _stored(row) for row in map(dict, view.rows)]
            yield _table(f"{view.name}_v1", keys | times | dict(view.dtypes) | {"event_date": "String"}, stored)


def answered(case: Case, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """An engine's answer as the oracle puts it, in the engine's own order; raises AssertionError for other columns."""
    wanted = tuple(case.request().columns())
    if tuple(columns) != wanted:
        raise AssertionError(f"columns {columns} instead of {wanted}")
    events = {view.event_output for view in case.views}
    return [{name: _answer(value, name in events) for name, value in zip(wanted, row, strict=True)} for row in rows]


def comparable(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as text in which every value is told apart from every other, and NaN equals NaN."""
    return [repr(sorted(row.items())) for row in rows]


def differing(got: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with an answer: None where rows, their order and every value are the oracle's."""
    texts, right = comparable(got), comparable(expected)
    if texts == right:
        return None
    wrong = [(a, b) for a, b in zip(texts, right, strict=False) if a != b]
    return f"{len(texts)} rows for {len(right)}; {len(wrong)} differ; got, expected: {wrong[:2]}"


def entity(name: str, **keys: str) -> Entity:
    """An entity with the given keys and their types."""
    return Entity(name, tuple(Column(key, kind) for key, kind in keys.items()))


def _table(name: str, schema: Mapping[str, str], rows: Sequence[Row]) -> Table:
    return Table(name, {column: parse_type(kind).glue for column, kind in schema.items()}, rows)


def _stored(row: Row) -> dict[str, Any]:
    times = {f"{each}_timestamp": _instant(row[each]) for each in ("event", "created", "available")}
    return times | {"event_date": utc_date(row["event"])}


def _instant(value_ms: int | None, more: timedelta = timedelta(0)) -> datetime | None:
    return None if value_ms is None else _EPOCH + timedelta(milliseconds=value_ms) + more


def _answer(value: Any, is_event: bool) -> Any:
    return (value - _EPOCH) // timedelta(milliseconds=1) if is_event and value is not None else value


def _json(value: Any) -> Any:
    """A default as the manifest spells it."""
    if isinstance(value, list):
        return [_json(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value - value != 0:  # NaN and infinities, which JSON does not have
        return str(value)
    return value

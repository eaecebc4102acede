"""One point-in-time problem, put both to the naive oracle and to DuckDB in every way the product asks it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

import duckdb
import pyarrow as pa
import sqlglot

from asof.clock import utc_date
from asof.manifest import Column, Entity, Feature, FeatureView
from asof.offline.duckdb_point_in_time import run_native
from asof.sql.dialects import render
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest, point_in_time
from asof.value_types import parse_type
from tests.support.pit_oracle import OracleView, Row, naive_join

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # DuckDB's timestamps have no zone
_ARROW = {
    "Int64": pa.int64(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "String": pa.string(),
    "Timestamp": pa.timestamp("us"),
    "Date": pa.date32(),
}


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

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Creates the tables that the request names."""
        kinds = {key.name: key.dtype for view in self.views for key in view.entity.join_keys}
        schema = {"row_id": "Int64", **kinds, "label": "Timestamp", "note": "String"}
        micros = timedelta(microseconds=self.label_micros)
        rows = [row | {"label": _instant(row["label"], micros)} for row in map(dict, self.entity_rows)]
        _create(connection, "entity_rows", schema, rows)
        for view in self.views:
            keys = {key.name: key.dtype for key in view.entity.join_keys}
            times = {f"{each}_timestamp": "Timestamp" for each in ("event", "created", "available")}
            stored = [row | _stored(row) for row in map(dict, view.rows)]
            _create(connection, f"{view.name}_v1", keys | times | dict(view.dtypes) | {"event_date": "String"}, stored)


Engine = Callable[[duckdb.DuckDBPyConnection, PointInTimeRequest], pa.Table]


def canonical(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The canonical expression rendered for DuckDB."""
    return connection.sql(render(point_in_time(request), "duckdb")).to_arrow_table()


def athena(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The Athena text, transpiled as the local cloud does it."""
    text = render(point_in_time(request), "athena")
    return connection.sql(sqlglot.transpile(text, read="athena", write="duckdb")[0]).to_arrow_table()


def native(connection: duckdb.DuckDBPyConnection, request: PointInTimeRequest) -> pa.Table:
    """The native plan."""
    return run_native(connection, request)


ENGINES: Mapping[str, Engine] = {"canonical": canonical, "athena": athena, "native": native}


def answers(case: Case, connection: duckdb.DuckDBPyConnection, engine: Engine) -> list[dict[str, Any]]:
    """An engine's answer to a loaded case, in its own order."""
    request = case.request()
    table = engine(connection, request)
    if tuple(table.column_names) != tuple(request.columns()):
        raise AssertionError(f"columns {table.column_names} instead of {list(request.columns())}")
    events = {view.event_output for view in case.views}
    return [{name: _answer(value, name in events) for name, value in row.items()} for row in table.to_pylist()]


def comparable(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as text in which every value is told apart from every other, and NaN equals NaN."""
    return [repr(sorted(row.items())) for row in rows]


def check(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    """Fails where an engine's rows, their order or one value differ from the oracle's."""
    expected = comparable(case.expected())
    case.load(connection)
    for name, engine in ENGINES.items():
        got = comparable(answers(case, connection, engine))
        if got != expected:
            wrong = [(a, b) for a, b in zip(got, expected, strict=False) if a != b]
            raise AssertionError(f"{name}: {len(got)} rows for {len(expected)}; got, expected: {wrong[:2]}")


def entity(name: str, **keys: str) -> Entity:
    """An entity with the given keys and their types."""
    return Entity(name, tuple(Column(key, kind) for key, kind in keys.items()))


def _create(connection: duckdb.DuckDBPyConnection, name: str, schema: Mapping[str, str], rows: Sequence[Row]) -> None:
    fields = pa.schema([pa.field(column, _arrow(kind)) for column, kind in schema.items()])
    table = pa.Table.from_pylist([{column: row.get(column) for column in schema} for row in rows], schema=fields)
    connection.register("given", table)
    connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS FROM given')
    connection.unregister("given")


def _arrow(kind: str) -> pa.DataType:
    value_type = parse_type(kind)
    if value_type.kind == "Array":
        return pa.list_(_ARROW[str(value_type.item)])
    return pa.list_(pa.float32()) if value_type.kind == "Embedding" else _ARROW[value_type.kind]


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

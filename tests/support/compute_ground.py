"""A view's tables and queries on any engine: what the runs of ``compute_runs`` need, and every other question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from asof.clock import to_ms
from asof.names import history_table, source_table, staging_table
from asof.sql.binding import bind
from asof.sql.dialects import render
from asof.sql.queries import expressions
from asof.sql.source_rows import source_columns
from asof.value_types import parse_type
from tests.support.engine import Engine
from tests.support.window_oracle import Case, Emitted, Row, Work

Values = Mapping[str, int | str]

WIDE_DATES = {
    "from_date": "1960-01-01",
    "to_date": "2100-01-01",
    "source_from_date": "1960-01-01",
    "source_to_date": "2100-01-01",
}

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # the engines' timestamps have no zone


def parameters_of(work: Work) -> dict[str, int | str]:
    """The parameters of a run; dates are as wide as can be."""
    return {
        "begin_ms": work.from_ms,
        "from_ms": work.from_ms,
        "to_ms": work.to_ms,
        "on_time_ms": work.on_time_ms,
        "now_ms": work.now_ms,
        "known_ms": work.known_ms,
        **WIDE_DATES,
    }


def source_types(case: Case) -> dict[str, str]:
    """The source's columns, by Glue's types."""
    return {name: parse_type(dtype).glue for name, dtype in source_columns(case.source).items()}


def history_types(case: Case) -> dict[str, str]:
    """The history's and the staging table's columns, partition keys last, by Glue's types."""
    return {
        **{key.name: parse_type(key.dtype).glue for key in case.entity.join_keys},
        **dict.fromkeys(("event_timestamp", "created_timestamp", "available_timestamp"), "timestamp"),
        **{feature.name: parse_type(feature.dtype).glue for feature in case.view.features},
        "event_date": "string",
        "run": "string",
    }


def dated(case: Case, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Source rows with their date partition; instants stay microseconds."""
    return [{**row, "dt": at(row[case.source.timestamp_field]).date().isoformat()} for row in rows]


def at(micros: int) -> datetime:
    """An instant as the engines hold it."""
    return _EPOCH + timedelta(microseconds=micros)


def emitted_rows(case: Case, found: Sequence[tuple[Any, ...]]) -> list[Emitted]:
    """The rows of ``compute``, in their order; checks types, dates and the order on the way."""
    width = len(case.entity.join_keys)
    emitted = []
    for row in found:
        keys, (event, created, available), values = row[:width], row[width : width + 3], row[width + 3 : -1]
        assert row[-1] == event.date().isoformat()
        emitted.append(Emitted(keys, _ms(event), _ms(created), _ms(available), tuple(_plain(each) for each in values)))
    order = [(each.keys, each.event, each.created) for each in emitted]
    assert order == sorted(order)
    return emitted


def stored_row(case: Case, each: Emitted, run: str) -> dict[str, Any]:
    """An emitted row as the history holds it."""
    times = {"event": each.event, "created": each.created, "available": each.available}
    values = {
        feature.name: at(value * 1000) if feature.dtype == "Timestamp" and value is not None else value
        for feature, value in zip(case.view.features, each.values, strict=True)
    }
    return {
        **{key.name: value for key, value in zip(case.entity.join_keys, each.keys, strict=True)},
        **{f"{name}_timestamp": at(value * 1000) for name, value in times.items()},
        **values,
        "event_date": at(each.event * 1000).date().isoformat(),
        "run": run,
    }


class EngineGround:
    """Runs on an engine. ``history`` and ``staging`` are rows as the tables hold them, to be changed and put back."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.history: list[dict[str, Any]] = []
        self.staging: list[dict[str, Any]] = []
        self.compared = 0
        self._found: list[Emitted] = []
        self._texts: dict[str, Mapping[str, str]] = {}

    def create_tables(self, case: Case) -> None:
        """Make an empty history and an empty staging table."""
        self.history, self.staging = [], []
        self.put(case)

    def put(self, case: Case) -> None:
        """Bring the tables to what ``history`` and ``staging`` say."""
        name, version = case.view.name, case.view.version
        self.engine.create(history_table(name, version), history_types(case), self.history)
        self.engine.create(staging_table(name, version), history_types(case), self.staging)

    def create_source(self, case: Case, rows: Sequence[Row]) -> None:
        """Make the source of these rows, in place of any other."""
        instants = [name for name, dtype in source_columns(case.source).items() if dtype == "Timestamp"]
        held = [
            row | {name: None if row.get(name) is None else at(row[name]) for name in instants}
            for row in dated(case, rows)
        ]
        self.engine.create(source_table(case.source.name), source_types(case), held)

    def ask(self, case: Case, question: str, values: Values) -> list[tuple[Any, ...]]:
        """The rows of a question."""
        _, rows = self.engine.query(bind(self._text(case, question), values))
        self.compared += sum(map(len, rows))
        return rows

    def compute(self, case: Case, work: Work) -> list[Emitted]:
        """What a run emits, in the order in which it does; checks types, dates and order on the way."""
        self._found = emitted_rows(case, self.ask(case, "compute", parameters_of(work)))
        return self._found

    def commit(self, case: Case, run: str = "run") -> None:
        """Append what ``compute`` found last to the history."""
        self.history += self._stored(case, run)
        self.put(case)

    def stage(self, case: Case, run: str = "run") -> None:
        """Append what ``compute`` found last to the staging table."""
        self.staging += self._stored(case, run)
        self.put(case)

    def _stored(self, case: Case, run: str) -> Iterator[dict[str, Any]]:
        return (stored_row(case, each, run) for each in self._found)

    def _text(self, case: Case, question: str) -> str:
        key = repr((case.view, case.entity, case.source))
        if key not in self._texts:
            queries = expressions(case.view, case.entity, case.source)
            self._texts[key] = {each: render(query, self.engine.dialect) for each, query in queries.items()}
        return self._texts[key][question]


def _ms(value: datetime) -> int:
    instant = value.replace(tzinfo=timezone.utc)
    assert instant.microsecond % 1000 == 0, "a time finer than a millisecond"
    return to_ms(instant)


def _plain(value: Any) -> Any:
    return _ms(value) if isinstance(value, datetime) else value

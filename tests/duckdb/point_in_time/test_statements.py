"""What the statements are like: scanned once, pruned, valid names, and nothing left behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from asof.clock import DAY_MS, from_ms
from asof.errors import EntityRowsError, RequestError, UnknownFeatureError
from asof.offline.duckdb_point_in_time import run_native
from asof.sql.dialects import render
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest, point_in_time
from tests.support.pit_case import Case, CaseView, entity
from tests.support.pit_duckdb import ENGINES, Engine, load

USER = entity("user", user_id="Int64")
_DAY_0 = 19_700 * DAY_MS


def _view(name: str, *, ttl_ms: int | None = None, rows: list[dict[str, Any]] | None = None) -> CaseView:
    dtypes = {"score": "Float64", "wide": "Embedding<4>"}
    return CaseView(name, USER, dtypes, rows or [], {f"{name}__score": "score"}, ttl_ms=ttl_ms)


def _case(*views: CaseView, label: int = _DAY_0, **more: Any) -> Case:
    return Case([{"row_id": 0, "user_id": 1, "label": label, "note": "n"}], views, pruned=True, **more)


def test_each_history_is_scanned_once_and_only_for_what_was_asked() -> None:
    """Athena is paid by the byte: one scan per view, no column that nobody asked for, nothing read through a join."""
    tree = sqlglot.parse_one(render(point_in_time(_case(_view("a"), _view("b")).request()), "athena"), read="athena")
    tables = [table.name for table in tree.find_all(exp.Table)]
    assert [tables.count(f"{name}_v1") for name in "ab"] == [1, 1]
    assert not {"wide", "*"} & {column.name for column in tree.find_all(exp.Column)}
    assert not {"a_v1", "b_v1"} & {join.this.name for join in tree.find_all(exp.Join)}


def test_scans_are_pruned_by_ttl_and_labels() -> None:
    """A view with a ttl has both bounds of the partition key; one without has the upper one only."""
    request = _case(_view("a", ttl_ms=2 * DAY_MS), _view("b")).request()
    text = render(point_in_time(request), "athena")
    first, last = (from_ms(_DAY_0 - days * DAY_MS).date().isoformat() for days in (2, 0))
    assert text.count(f'"h"."event_date" <= \'{last}\'') == 2
    assert text.count(f'"h"."event_date" >= \'{first}\'') == 1
    everything = render(point_in_time(dataclasses.replace(request, label_bounds_ms=None)), "athena")
    assert "event_date" not in everything


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_files_outside_the_bounds_are_not_opened(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, engine: Engine
) -> None:
    """A file of another date may hold anything at all."""
    row = {"user_id": 1, "event": _DAY_0, "created": None, "available": _DAY_0, "score": 0.5, "wide": None}
    case = _case(_view("a", ttl_ms=DAY_MS, rows=[row]), label=_DAY_0)
    load(case, connection)
    connection.execute(f"COPY a_v1 TO '{tmp_path}' (FORMAT parquet, PARTITION_BY (event_date), OVERWRITE_OR_IGNORE)")
    for day in ("1999-12-31", "2099-12-31"):
        (tmp_path / f"event_date={day}").mkdir()
        (tmp_path / f"event_date={day}" / "data_0.parquet").write_bytes(b"not Parquet")
    files = sorted(str(path) for path in tmp_path.rglob("*.parquet"))
    files.sort(key=lambda path: "1999" in path or "2099" in path)  # DuckDB reads the columns' types from the first
    connection.execute(f"CREATE OR REPLACE VIEW a_v1_files AS FROM read_parquet({files}, hive_types_autocast = false)")
    request = case.request()
    (view,) = request.views
    request = dataclasses.replace(request, views=(dataclasses.replace(view, history="a_v1_files"),))
    assert engine(connection, request).to_pylist() == [{"row_id": 0, "note": "n", "a__score": 0.5}]


@pytest.mark.parametrize(("micros", "score"), [(0, 0.5), (1, 0.25)])
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_history_finer_than_the_clock_is_not_seen_early(
    connection: duckdb.DuckDBPyConnection, engine: Engine, micros: int, score: float
) -> None:
    """Asof writes whole milliseconds; of another's history, what comes a microsecond after the label is later."""
    same = {"user_id": 1, "created": None, "wide": None}
    rows = [{"event": at, "available": at, "score": value, **same} for at, value in ((-2, 0.25), (-1, 0.5))]
    labels = [{"row_id": i, "user_id": 1, "label": at, "note": "n"} for i, at in enumerate((-1, 5))]
    case = Case(labels, [_view("a", rows=rows)])
    load(case, connection)
    later = f"available_timestamp + INTERVAL {micros} MICROSECOND"
    connection.execute(f"UPDATE a_v1 SET available_timestamp = {later} WHERE score = 0.5")
    assert engine(connection, case.request())["a__score"].to_pylist() == [score, 0.5]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_inner_names_collide_with_nothing(connection: duckdb.DuckDBPyConnection, engine: Engine) -> None:
    """Keys, features, carried columns and outputs may be called like the parts of the query."""
    odd = entity("rank", k0="Int64", at="Int64")
    row = {"k0": 7, "at": 8, "event": 0, "created": 0, "available": 0, "rank": 1, "p0": 2, "row_id": 3, "e": 4}
    outputs = {"part": "rank", "p1": "p0", "bucket": "row_id", "label": "e"}
    view = CaseView("part", odd, dict.fromkeys(("rank", "p0", "row_id", "e"), "Int64"), [row], outputs)
    case = Case([{"row_id": 5, "k0": 7, "at": 8, "label": 0, "note": "x"}], [view])
    load(case, connection)
    expected = {"row_id": 5, "note": "x", "part": 1, "p1": 2, "bucket": 3, "label": 4}
    assert engine(connection, case.request()).to_pylist() == [expected]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_no_views_give_the_entity_rows_back(connection: duckdb.DuckDBPyConnection, engine: Engine) -> None:
    case = _case(_view("a"))
    load(case, connection)
    request = dataclasses.replace(case.request(), views=())
    assert engine(connection, request).to_pylist() == [{"row_id": 0, "note": "n"}]


def test_nothing_is_left_behind_after_an_error(connection: duckdb.DuckDBPyConnection) -> None:
    """The connection is as it was, though the second view's history does not exist."""
    case = _case(_view("a"), _view("b"))
    load(case, connection)
    connection.execute("DROP TABLE b_v1")
    with pytest.raises(duckdb.CatalogException, match="b_v1"):
        run_native(connection, case.request())
    tables = "SELECT table_name FROM duckdb_tables() WHERE temporary"
    views = "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal"
    assert connection.sql(f"{tables} UNION ALL {views}").fetchall() == []


def test_impossible_requests_are_refused() -> None:
    """Before anything is rendered: unknown features, colliding columns, another entity's view, an unknown rule."""
    request = _case(_view("a")).request()
    (view,) = request.views
    with pytest.raises(UnknownFeatureError, match="score"):
        dataclasses.replace(request, views=(dataclasses.replace(view, features=(("scores", "s"),)),))
    with pytest.raises(EntityRowsError, match="'NOTE'"):
        dataclasses.replace(request, views=(dataclasses.replace(view, features=(("score", "NOTE"),)),))
    with pytest.raises(RequestError, match="describes 'user'"):
        PointInTimeRequest("r", "row_id", "label", (ViewRequest(view.view, entity("other", k="Int64"), ()),))
    with pytest.raises(RequestError, match="is not a rule"):
        dataclasses.replace(request, as_of="now")  # type: ignore[arg-type]  # what a caller without types may pass

"""The text of the queries: what Athena is asked to do, and that it costs what it should."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlglot
from hypothesis import given, settings
from sqlglot import exp

from asof.errors import RequestError
from asof.sql.binding import bind, parameters
from asof.sql.dialects import render
from asof.sql.expressions import from_ms, grid_ceil, number
from asof.sql.queries import render_queries
from tests.duckdb.compute.harness import both, commit, connection, create_source, create_tables, parameters_of
from tests.support.compute_cases import COPIED, START_MS, WINDOWS, rows
from tests.support.compute_runs import EXAMPLES, schedule
from tests.support.window_oracle import Case, Work

CASES = {**WINDOWS, **COPIED}


def rendered(case: Case) -> dict[str, str]:
    """The Athena texts of a case."""
    return render_queries(case.view, case.entity, case.source)


@pytest.mark.parametrize("name", CASES)
def test_the_questions_and_their_parameters(name: str) -> None:
    """A run can bind every question from what it knows."""
    times = {"from_ms", "to_ms", "now_ms", "known_ms", "on_time_ms"}
    dates = {"from_date", "to_date"}
    source_dates = {"source_from_date", "source_to_date"}
    late = {"begin_ms", "on_time_ms"} if CASES[name].has_created else set()
    found = {question: parameters(text) for question, text in rendered(CASES[name]).items()}
    assert found == {
        "compute": times | dates | source_dates,
        "counts": {"from_ms", "to_ms", "known_ms"} | late | source_dates,
        "quarantine": {"from_ms", "to_ms", "known_ms"} | source_dates,
        "check": {"from_ms", "to_ms", "now_ms", "run"},
        "check_failures": {"from_ms", "to_ms", "now_ms", "run"},
        "latest": {"run"} | dates,
    }


@pytest.mark.parametrize("name", CASES)
def test_each_table_is_scanned_once(name: str) -> None:
    """Athena bills each mention; it also runs a common table expression once per mention, so none is read twice."""
    for text in rendered(CASES[name]).values():
        tables = [each.name for each in sqlglot.parse_one(text, dialect="athena").find_all(exp.Table)]
        assert len(tables) == len(set(tables)), tables


@pytest.mark.parametrize("name", WINDOWS)
def test_frames_only_grow(name: str) -> None:
    """Trino moves a sliding frame of sums by subtraction, which doubles do not survive."""
    for window in sqlglot.parse_one(rendered(WINDOWS[name])["compute"], dialect="athena").find_all(exp.WindowSpec):
        assert (window.args["start"], str(window.args["end"])) == ("UNBOUNDED", "CURRENT ROW")


def test_tables_are_called_as_the_catalog_calls_them() -> None:
    """History and staging unqualified; a source by its own database and table, or by the name Asof registers it by."""
    case = WINDOWS["numbers"]
    text = rendered(case)
    assert 'FROM "src_events"' in text["compute"]
    assert 'FROM "busy_v2"' in text["compute"]
    assert 'FROM "busy_v2__staging"' in text["check"]
    elsewhere = dataclasses.replace(case.source, path=None, table="raw.flights")
    assert 'FROM "raw"."flights"' in render_queries(case.view, case.entity, elsewhere)["compute"]


def test_a_source_without_date_partitions_is_not_pruned_by_them() -> None:
    """There is no column to prune by."""
    case = WINDOWS["numbers"]
    plain = dataclasses.replace(case.source, date_partition_column=None)
    assert "source_from_date" not in "".join(render_queries(case.view, case.entity, plain).values())


@pytest.mark.parametrize("name", CASES)
def test_bound_texts_transpile_as_the_local_cloud_does_it(name: str) -> None:
    """Bound first, transpiled then: the same rows as the other ways."""
    case = CASES[name]

    @settings(EXAMPLES, max_examples=2)  # parsing takes a second
    @given(rows(case))
    def check(table: list[dict[str, Any]]) -> None:
        create_tables(case)
        create_source(case, table)
        work = schedule(case, first=15, second=1, look_back=0)[0]
        for question, text in rendered(case).items():
            values = {**parameters_of(work), "run": "r1-"}
            sql = sqlglot.transpile(bind(text, values), read="athena", write="duckdb")[0]
            assert repr(connection().execute(sql).fetchall()) == repr(both(case, question, values))

    check()


@pytest.mark.parametrize("name", CASES)
def test_partitions_outside_the_dates_are_not_read(name: str) -> None:
    """Source and history are pruned by the dates that a run gives, both inclusive."""
    case = CASES[name]
    create_tables(case)
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day", "made"))
    keys = {"origin": "a", "no": 1, "carrier": "a"}
    create_source(case, [{**empty, **keys, "happened": (START_MS + at) * 1000} for at in (50, 150)])
    work = Work(START_MS - 107, START_MS + 193, START_MS, START_MS + 300, START_MS + 300)

    def found(**dates: str) -> int:
        return len(both(case, "compute", {**parameters_of(work), **dates}))

    everything = found()
    assert 0 < found(source_to_date="2024-02-29") < everything
    assert 0 < found(source_from_date="2024-03-01") < everything
    assert found(source_from_date="2024-02-29", source_to_date="2024-03-01") == everything
    both(case, "compute", parameters_of(work))
    commit(case)
    assert found() == 0
    assert 0 < found(to_date="2024-02-29") < everything
    assert 0 < found(from_date="2024-03-01") < everything


def test_an_unknown_dialect_is_refused() -> None:
    """With the names of those that exist."""
    with pytest.raises(RequestError, match="athena, duckdb"):
        render(number(1), "oracle")


def test_a_statement_longer_than_the_engine_takes() -> None:
    """It is written without layout; where even that is too long, an error says what to do."""

    def listed(count: int) -> exp.Select:
        return exp.select(*(exp.column(f"a_column_of_the_table_{i}") for i in range(count)))

    assert "\n" in render(listed(10), "athena")
    assert "\n" not in render(listed(9_000), "athena")
    assert "\n" in render(listed(20_000), "duckdb")
    with pytest.raises(RequestError, match="split the view"):
        render(listed(20_000), "athena")


@pytest.mark.parametrize("value_ms", [-62_135_596_800_000, -86_400_001, -1, 0, 1, 86_399_999, 253_402_300_799_999])
def test_instants_are_made_of_days_and_milliseconds_for_athena(value_ms: int) -> None:
    """Trino's ``date_add`` takes 32 bits; the same instant comes of it, also where it is transpiled."""
    query = exp.select(from_ms(number(value_ms)))
    text = render(query, "athena")
    assert re.search(r"'DAY',\s+CAST", text)
    (found,) = connection().execute(sqlglot.transpile(text, read="athena", write="duckdb")[0]).fetchone() or ()
    assert (found,) == connection().execute(render(query, "duckdb")).fetchone()
    assert (found - datetime(1970, 1, 1)) // timedelta(milliseconds=1) == value_ms  # noqa: DTZ001  # as DuckDB has it


@pytest.mark.parametrize("instant", [-21, -20, -19, -1, 0, 1, 12, 13, 14, 23])
@pytest.mark.parametrize("offset", [0, 3, -7, 26])
def test_grid_times_in_sql(instant: int, offset: int) -> None:
    """The first grid time at or after an instant, before the epoch too."""
    sql = render(exp.select(grid_ceil(number(instant), 10, offset)), "duckdb")
    expected = next(at for at in range(instant, instant + 10) if (at - offset) % 10 == 0)
    assert connection().execute(sql).fetchone() == (expected,)

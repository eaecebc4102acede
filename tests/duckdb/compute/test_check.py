"""The check of an attempt's rows in the staging table: what it counts, and the rows it shows."""

from __future__ import annotations

import dataclasses

import pytest

from asof.manifest import Column
from tests.duckdb.compute.harness import both, compute, connection, create_source, create_tables, parameters_of, stage
from tests.support.compute_cases import COPIED, START_MS, WINDOWS
from tests.support.window_oracle import Case, Work

WORK = Work(START_MS - 7, START_MS + 13, START_MS - 7, START_MS + 50, START_MS + 46)
VALUES = {**parameters_of(WORK), "run": "r1-a"}


def staged(case: Case) -> str:
    """Three good rows of the attempt in the staging table, and rubbish of another attempt; the table's name."""
    create_tables(case)
    empty = dict.fromkeys(("kind", "x", "d", "s", "seen_at", "flag", "day", "made"))
    keys = ({"origin": "JFK", "no": 1}, {"origin": "JFK", "no": 2}, {"origin": "", "no": 1})
    create_source(case, [{**empty, **each, "happened": START_MS * 1000} for each in keys])
    assert len(compute(case, WORK)) >= 3
    stage(case, "r1-a")
    table = f"{case.view.name}_v{case.view.version}__staging"
    connection().execute(f"INSERT INTO {table} (origin, run) VALUES (NULL, 'r1-b'), (NULL, 'r1-b')")
    return table


CASES = {"windows": WINDOWS["values"], "rows": COPIED["with created"]}


@pytest.mark.parametrize("name", CASES)
def test_good_rows_pass(name: str) -> None:
    """Every count but that of rows is 0, and another attempt's rows are not looked at."""
    staged(CASES[name])
    ((rows, *broken),) = both(CASES[name], "check", VALUES)
    assert rows >= 3
    assert broken == [0, 0, 0, 0]
    assert both(CASES[name], "check_failures", VALUES) == []


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("change", "expected", "reason"),
    [
        ("UPDATE {} SET no = NULL WHERE no = 2 AND run = 'r1-a'", (1, 0, 0, 0), "null_keys"),
        ("INSERT INTO {0} SELECT * FROM {0} WHERE no = 2 AND run = 'r1-a'", (0, 1, 0, 0), "duplicates"),
        ("UPDATE {} SET event_timestamp = NULL WHERE no = 2 AND run = 'r1-a'", (0, 0, 1, 0), "out_of_range"),
        ("UPDATE {} SET event_timestamp = '2024-03-02' WHERE no = 2 AND run = 'r1-a'", (0, 0, 1, 0), "out_of_range"),
        ("UPDATE {} SET event_timestamp = '2024-02-28' WHERE no = 2 AND run = 'r1-a'", (0, 0, 1, 0), "out_of_range"),
        ("UPDATE {} SET available_timestamp = NULL WHERE no = 2 AND run = 'r1-a'", (0, 0, 0, 1), "unavailable"),
        ("UPDATE {} SET available_timestamp = '2024-03-02' WHERE no = 2 AND run = 'r1-a'", (0, 0, 0, 1), "unavailable"),
    ],
)
def test_each_rule_is_broken_alone(name: str, change: str, expected: tuple[int, ...], reason: str) -> None:
    """One broken row is counted under its rule, and shown with it."""
    case = CASES[name]
    table = staged(case)
    connection().execute(f"DELETE FROM {table} WHERE event_timestamp > make_timestamp({START_MS * 1000 + 3000})")
    connection().execute(change.format(table))
    ((_, *broken),) = both(case, "check", VALUES)
    assert tuple(broken) == expected
    (failure,) = both(case, "check_failures", VALUES)
    assert failure[-1] == reason


def test_the_bounds_of_the_interval() -> None:
    """Grid times from the first to before the end; for other views the source rows that enter at them."""
    for name, good, bad in (("windows", (-7, 12), (-8, 13)), ("rows", (-16, 3), (-17, 4))):
        case = CASES[name]
        table = staged(case)
        for offsets, count in ((good, 0), (bad, 2)):
            connection().execute(f"DELETE FROM {table}")
            for at in offsets:
                instant = f"make_timestamp({(START_MS + at) * 1000})"
                connection().execute(
                    f"INSERT INTO {table} (origin, no, event_timestamp, created_timestamp, available_timestamp, run) "
                    f"VALUES ('a', 1, {instant}, {instant}, {instant}, 'r1-a')"
                )
            assert both(case, "check", VALUES)[0][3] == count, (name, offsets)


def test_at_most_twenty_failures_are_shown() -> None:
    """However many rows are broken."""
    case = CASES["rows"]
    table = staged(case)
    connection().execute(f"INSERT INTO {table} (origin, run) SELECT NULL, 'r1-a' FROM range(50)")
    assert len(both(case, "check_failures", VALUES)) == 20


def test_keys_may_be_called_as_anything_inside() -> None:
    """Names of the query's own are none that a key can have."""
    case = CASES["windows"]
    keys = tuple(Column(name, "String") for name in ("place", "attempt", "reason", "rows", "run_id"))
    renamed = dataclasses.replace(case, entity=dataclasses.replace(case.entity, join_keys=keys))
    create_tables(renamed)
    assert both(renamed, "check", VALUES) == [(0, 0, 0, 0, 0)]
    assert both(renamed, "check_failures", VALUES) == []

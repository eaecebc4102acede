"""Putting a training set together: rows are conserved or nothing is given out; functions see what a lookup sees."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timezone

import pandas as pd
import pyarrow as pa
import pytest

from asof.errors import OnDemandError, QueryError
from asof.manifest import Feature as ManifestFeature
from asof.manifest import Manifest, OnDemandFeatureView, OnDemandInput
from asof.offline.arrow_types import to_instants, to_values
from asof.offline.engine import Answer
from asof.offline.entity_rows import EntityFrame, read_entity_rows
from asof.offline.plan import make_plan
from asof.offline.progress import default_progress, silent
from asof.offline.training_set import build, in_order
from asof.value_types import Array, Date, Float64, Int64, String, Timestamp, ValueType


def answer(ids: list[int], rows: int) -> Answer:
    """An engine's answer with these row ids to so many entity rows."""
    return Answer(pa.table({"asof_row_id": ids, "x": [float(each) for each in ids]}), rows, query_ids=("q-9",))


def test_rows_come_back_in_the_order_of_their_ids() -> None:
    assert in_order(answer([2, 0, 1], 3))["x"].to_pylist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("ids", [[0, 1], [0, 1, 1], [0, 1, 2, 2], [0, 1, 3], [1, 2, 3], []])
def test_a_lost_a_doubled_or_a_made_up_row_is_an_error(ids: list[int]) -> None:
    with pytest.raises(QueryError, match=r"3 entity rows gave .* rows must be conserved.*\(query q-9\)"):
        in_order(answer(ids, 3))


def on_demand(body: str) -> Manifest:
    """A manifest of one on-demand view whose function has that body."""
    view = OnDemandFeatureView(
        name="calc",
        version=1,
        inputs=(OnDemandInput("at", "Timestamp"), OnDemandInput("day", "Date"), OnDemandInput("n", "Int64")),
        features=(ManifestFeature("out", "String"),),
        function="calc",
        code=f"def calc(inputs):\n    return {body}\n",
    )
    return Manifest(on_demand_feature_views=(view,))


FRAME = pd.DataFrame(
    {
        "event_timestamp": [pd.Timestamp("2020-01-01", tz="UTC")] * 2,
        "at": [pd.Timestamp("2020-01-01T00:00:00.123456+02:00"), pd.NaT],
        "day": [date(2020, 1, 2), None],
        "n": [7.0, None],
    }
)


def outputs(body: str) -> list[object]:
    """What the function gives over FRAME."""
    plan = make_plan(on_demand(body), "calc:out", label="event_timestamp")
    rows = read_entity_rows(FRAME, plan.question.needs)
    assert isinstance(rows, EntityFrame)
    values: list[object] = build(plan, Answer(rows.spine, 2), rows.fields).column("out").to_pylist()
    return values


def test_a_function_sees_python_values_as_a_lookup_gives_them() -> None:
    assert outputs("{'out': repr([inputs['at'], inputs['day'], inputs['n']])}") == [
        repr([datetime(2019, 12, 31, 22, 0, 0, 123_000, tzinfo=timezone.utc), date(2020, 1, 2), 7]),
        "[None, None, None]",
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [("{'out': 1 / 0}", "ZeroDivisionError"), ("{'out': 7}", "is not a String"), ("{}", "'out' is missing")],
)
def test_a_function_that_fails_or_breaks_its_word_is_named(body: str, said: str) -> None:
    with pytest.raises(OnDemandError, match=f"calc@v1.*{said}"):
        outputs(body)


def column(values: list[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    """A column in two chunks, as tables often have them."""
    return pa.chunked_array([pa.array(values[:1], kind), pa.array(values[1:], kind)])


@pytest.mark.parametrize(
    ("values", "kind", "value_type", "expected"),
    [
        ([1, None], pa.int8(), Int64, [1, None]),
        ([1.0, float("nan")], pa.float64(), Int64, [1, None]),
        ([1, 2], pa.uint32(), Float64, [1.0, 2.0]),
        (["a", None], pa.large_string(), String, ["a", None]),
        ([None, None], pa.null(), String, [None, None]),
        ([[1], None], pa.list_(pa.int32()), Array(Int64), [[1], None]),
        ([date(2020, 1, 1), None], pa.date32(), Date, [date(2020, 1, 1), None]),
        ([0, None], pa.timestamp("s"), Timestamp, [datetime(1970, 1, 1, tzinfo=timezone.utc), None]),
    ],
)
def test_columns_become_the_declared_type_without_loss(
    values: list[object], kind: pa.DataType, value_type: ValueType, expected: list[object]
) -> None:
    assert to_values(column(values, kind), value_type).to_pylist() == expected


def test_instants_are_floored_also_before_1970() -> None:
    early = column([-1, 999, 1_000], pa.timestamp("us", "Asia/Kolkata"))
    assert to_instants(early).cast(pa.int64()).to_pylist() == [-1, 0, 1]


def test_without_a_terminal_progress_is_silent() -> None:
    with default_progress() as progress:
        assert progress is silent


def test_the_modules_load_without_the_packages_of_the_extra() -> None:
    """pandas, pyarrow and duckdb are imported by what needs them, when it runs."""
    code = (
        "import sys\n"
        "for name in ('pandas', 'pyarrow', 'duckdb', 'awswrangler', 'moto'): sys.modules[name] = None\n"
        "import asof.offline.retrieval, asof.offline.athena_engine, asof.offline.duckdb_engine\n"
        "for name in ('athena', 'partitions', 'tables', 'sources'): assert f'asof.offline.{name}'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    light = "import sys, asof.offline.athena, asof.offline.partitions, asof.offline.tables, asof.offline.sources\n"
    subprocess.run([sys.executable, "-c", light + "assert 'sqlglot' not in sys.modules"], check=True)

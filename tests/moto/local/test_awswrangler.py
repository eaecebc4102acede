"""awswrangler as an unmodified client: every approach it has to read, and writing data sets."""

from __future__ import annotations

from datetime import date
from typing import Any

import awswrangler as wr
import pandas as pd
import pytest

from tests.moto.local.conftest import Asker

# awswrangler 3.17 still gives pandas arguments that pandas 3 has deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The copy keyword is deprecated", "ignore:The inplace keyword in DataFrame"
)

QUERY = """
SELECT n, CAST(n AS double) / 4 AS d, 'x' AS s, n = 1 AS o, DATE '2020-01-02' AS a,
       TIMESTAMP '2020-01-02 03:04:05.678' AS t
FROM UNNEST(sequence(BIGINT '1', 3)) AS u(n) ORDER BY n
"""


def _read(ask: Asker, sql: str, **arguments: Any) -> Any:
    """A frame, or frames where ``chunksize`` asks for them."""
    return wr.athena.read_sql_query(
        sql,
        database=ask.environment.database,
        workgroup=ask.environment.workgroup,
        boto3_session=ask.session,
        athena_query_wait_polling_delay=0.01,
        **arguments,
    )


@pytest.mark.parametrize("approach", ["regular", "ctas", "unload"])
def test_reading_a_query(ask: Asker, approach: str) -> None:
    """Values and types are alike by CSV, by a temporary table and by UNLOAD."""
    arguments: dict[str, Any] = {"ctas_approach": approach == "ctas", "unload_approach": approach == "unload"}
    if approach == "unload":
        # awswrangler follows a manifest only within the manifest's own bucket.
        arguments["s3_output"] = f"s3://{ask.environment.results_bucket}/unloaded/"
    read = _read(ask, QUERY, **arguments)
    assert read.query_metadata["Status"]["State"] == "SUCCEEDED"
    frame = read.sort_values("n").reset_index(drop=True)
    assert frame["n"].tolist() == [1, 2, 3]
    assert str(frame["n"].dtype) == "Int64"
    assert frame["d"].tolist() == [0.25, 0.5, 0.75]
    assert frame["s"].tolist() == ["x"] * 3
    assert frame["o"].tolist() == [True, False, False]
    assert frame["a"].tolist() == [date(2020, 1, 2)] * 3
    assert frame["t"].tolist() == [pd.Timestamp("2020-01-02 03:04:05.678")] * 3


def test_the_temporary_table_is_dropped(ask: Asker) -> None:
    """What the ctas approach leaves in Glue: nothing."""
    before = {table["Name"] for table in wr.catalog.get_tables(ask.environment.database, boto3_session=ask.session)}
    _read(ask, "SELECT 1 AS a", ctas_approach=True)
    after = {table["Name"] for table in wr.catalog.get_tables(ask.environment.database, boto3_session=ask.session)}
    assert before == after


def test_reading_nothing(ask: Asker) -> None:
    """An empty result has its columns."""
    frame = _read(ask, "SELECT 1 AS a, 'x' AS b WHERE false", ctas_approach=False)
    assert (len(frame), list(frame.columns)) == (0, ["a", "b"])
    frame = _read(ask, "SELECT 1 AS a WHERE false", ctas_approach=True)
    assert (len(frame), list(frame.columns)) == (0, ["a"])


def test_reading_in_chunks_and_with_parameters(ask: Asker) -> None:
    """Client-side and server-side parameters."""
    sql = "SELECT n FROM UNNEST(sequence(1, 5)) AS t(n) WHERE n > :low ORDER BY n"
    chunks = _read(ask, sql, ctas_approach=False, chunksize=2, params={"low": 1}, paramstyle="named")
    assert [chunk["n"].tolist() for chunk in chunks] == [[2, 3], [4, 5]]
    frame = _read(ask, sql.replace(":low", "?"), ctas_approach=False, params=["3"], paramstyle="qmark")
    assert frame["n"].tolist() == [4, 5]


def test_a_failed_query_raises_with_its_reason(ask: Asker) -> None:
    """As awswrangler's own error."""
    with pytest.raises(wr.exceptions.QueryFailed, match="TABLE_NOT_FOUND"):
        _read(ask, "SELECT * FROM nowhere", ctas_approach=False)


def test_a_data_set_written_by_awswrangler_is_read_by_athena(ask: Asker) -> None:
    """Files, table and partitions come from awswrangler; Athena sees them."""
    table, location = ask.name(), ask.location()
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "t": pd.to_datetime(["2020-01-01 00:00:00.001"] * 3),
            "l": [[1.5], [], None],
            "day": ["a", "b", "b"],
        }
    )
    wr.s3.to_parquet(
        frame,
        path=location,
        dataset=True,
        database=ask.environment.database,
        table=table,
        partition_cols=["day"],
        boto3_session=ask.session,
    )
    assert ask.rows(f"SELECT n, t, l, day FROM {table} ORDER BY n") == [
        ["1", "2020-01-01 00:00:00.001", "[1.5]", "a"],
        ["2", "2020-01-01 00:00:00.001", "[]", "b"],
        ["3", "2020-01-01 00:00:00.001", None, "b"],
    ]
    types = wr.catalog.get_table_types(ask.environment.database, table, boto3_session=ask.session)
    assert types == {"n": "bigint", "t": "timestamp", "l": "array<double>", "day": "string"}
    wr.s3.to_parquet(
        frame[:1],
        path=location,
        dataset=True,
        mode="append",
        database=ask.environment.database,
        table=table,
        partition_cols=["day"],
        boto3_session=ask.session,
    )
    assert ask.rows(f"SELECT count(*) FROM {table}") == [["4"]]
    assert wr.catalog.delete_table_if_exists(ask.environment.database, table, boto3_session=ask.session)


def test_unload_and_ctas_by_name(ask: Asker) -> None:
    """``wr.athena.unload`` and ``wr.athena.create_ctas_table``."""
    location = ask.location()
    done = wr.athena.unload(
        "SELECT 1 AS a",
        path=location,
        database=ask.environment.database,
        workgroup=ask.environment.workgroup,
        compression="zstd",
        boto3_session=ask.session,
    )
    assert wr.s3.read_parquet(location, boto3_session=ask.session)["a"].tolist() == [1]
    assert done.raw_payload["Statistics"]["DataManifestLocation"].endswith("-manifest.csv")
    made = wr.athena.create_ctas_table(
        "SELECT 2 AS a",
        database=ask.environment.database,
        workgroup=ask.environment.workgroup,
        wait=True,
        boto3_session=ask.session,
    )
    assert ask.rows(f"SELECT a FROM {made['ctas_database']}.{made['ctas_table']}") == [["2"]]
    frame = wr.athena.read_sql_table(
        str(made["ctas_table"]),
        database=ask.environment.database,
        workgroup=ask.environment.workgroup,
        ctas_approach=False,
        boto3_session=ask.session,
    )
    assert frame["a"].tolist() == [2]

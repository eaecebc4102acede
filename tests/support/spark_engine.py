"""Spark of the line that Glue runs, in this process, as an engine of the behaviour suite."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from asof.offline.spark_session import prepare
from tests.support.arrow_rows import arrow_table
from tests.support.engine import Row
from tests.support.java import java_home
from tests.support.maven import artifact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_S3A = (
    ("org.apache.hadoop", "hadoop-aws", "3.3.4", "a65839fbf1869f81a1632e09f415e586922e4f80"),
    ("com.amazonaws", "aws-java-sdk-bundle", "1.12.262", "02deec3a0ad83d13d032b1812421b23d7a961eea"),
)
"""S3 for the Hadoop that pyspark 3.5 brings; Glue has its own."""

LOCAL_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1200m",
    # Data are small here: one task per stage, and plans that are run once are interpreted sooner than compiled.
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@contextmanager
def spark_session(**more: str) -> Iterator[SparkSession]:
    """A session of two threads and at most 1.5 GB of heap, with S3; ``more`` are further settings by their names."""
    from pyspark.sql import SparkSession

    os.environ |= {"JAVA_HOME": str(java_home(17, 17)), "SPARK_LOCAL_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory(prefix="asof-spark-") as folder:
        settings = {
            **LOCAL_SETTINGS,
            "spark.jars": s3_jars(),
            "spark.local.dir": folder,
            "spark.sql.warehouse.dir": folder,
            **more,
        }
        builder = SparkSession.builder.master("local[2]").appName("asof")
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        try:
            yield prepare(spark)
        finally:
            spark.stop()


def s3_jars() -> str:
    """The archives by which Spark reads ``s3://``, as ``spark.jars`` takes them."""
    return ",".join(str(artifact(group, name, version, "jar", sha1)) for group, name, version, sha1 in _S3A)


class SparkEngine:
    """Tables are temporary views over Parquet files."""

    name = "spark"
    dialect = "spark"

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self._folder = folder
        self._files = 0

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table; ``columns`` are Glue's types by name."""
        self._files += 1
        file = self._folder / f"{self._files}.parquet"
        pq.write_table(arrow_table(columns, rows), file)
        ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        self.spark.read.schema(ddl).parquet(str(file)).createOrReplaceTempView(table)

    def query(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """A statement's column names and its rows, as Python's values."""
        found = self.spark.sql(sql)
        table = pa.Table.from_batches(found._collect_as_arrow(), arrow_schema(found))
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return tuple(found.columns), [tuple(map(_naive, row)) for row in rows]


@contextmanager
def open_spark() -> Iterator[SparkEngine]:
    """The engine, for a whole test session: it takes seconds to start."""
    with spark_session() as spark, tempfile.TemporaryDirectory(prefix="asof-spark-tables-") as folder:
        yield SparkEngine(spark, Path(folder))


def arrow_schema(frame: Any) -> pa.Schema:
    """The Arrow schema in which Spark sends a frame's rows."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(frame.schema)


def _naive(value: Any) -> Any:
    if isinstance(value, list):
        return [_naive(each) for each in value]
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value

"""The session in which Spark means the same as Athena: what is set, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS: Final = {
    # Instants are UTC; a session elsewhere would shift every date and every text of an instant.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # What overflows or cannot be cast is an error, as on Athena; otherwise it would become NULL or wrap around.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.enforceReservedKeywords": "false",
    # Texts are taken as they are rendered.
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.caseSensitive": "false",
    # Dates before 1582 as everyone else writes them.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    # As Athena's own UNLOAD writes instants, so that all files of a table are alike.
    "spark.sql.parquet.outputTimestampType": "INT96",
    # A time without a zone is UTC here, and then there is but one type of instants.
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
    # Glue's varchar(n) and char(n) are read as the text they hold; without this they are refused.
    "spark.sql.legacy.charVarcharAsString": "true",
    # A partition key is text, even where it looks like a date.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
"""Settings that a running session can be given. Glue sets a session's own parts (memory, executors) elsewhere."""


def prepare(spark: SparkSession) -> SparkSession:
    """The session, set up to mean what Athena means."""
    for name, value in SETTINGS.items():
        spark.conf.set(name, value)
    return spark

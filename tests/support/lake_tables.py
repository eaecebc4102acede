"""Tables of a local cloud: Parquet in its S3, registered in its Glue catalogue as Asof registers its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from asof.local.server.local_server import LocalServer
from asof.offline.parquet import write_object
from asof.offline.tables import parquet_table
from tests.support.arrow_rows import arrow_table
from tests.support.engine import Row

DATABASE = "behaviour"
_BUCKET = "behaviour"


class LakeTables:
    """The tables of the database ``behaviour``, which is made where it is not there."""

    def __init__(self, cloud: LocalServer) -> None:
        self._session: Any = boto3.Session("local", "local", region_name=cloud.region)
        self._endpoint = cloud.endpoint
        self._s3 = self.client("s3")
        self._glue = self.client("glue")
        if DATABASE not in [each["Name"] for each in self._glue.get_databases()["DatabaseList"]]:
            self._s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": cloud.region})
            self._glue.create_database(DatabaseInput={"Name": DATABASE})

    def client(self, service: str) -> Any:
        """A boto3 client of the local cloud."""
        return self._session.client(service, endpoint_url=self._endpoint)

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table of one Parquet object; ``columns`` are Glue's types by name."""
        location = f"s3://{_BUCKET}/{table}/"
        write_object(self._s3, arrow_table(columns, rows), f"{location}rows.parquet")
        wanted = parquet_table(table, list(columns.items()), location)
        listed = self._glue.get_tables(DatabaseName=DATABASE, Expression=table)["TableList"]
        there = [each for each in listed if each["Name"] == table]
        if not there:
            self._glue.create_table(DatabaseName=DATABASE, TableInput=wanted)
        elif there[0]["StorageDescriptor"]["Columns"] != wanted["StorageDescriptor"]["Columns"]:
            self._glue.update_table(DatabaseName=DATABASE, TableInput=wanted)

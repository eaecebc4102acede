"""A local cloud per module, and short ways to ask its Athena."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from asof.local import LocalCloud
from asof.names import Environment

_NUMBERS = itertools.count()


@dataclass
class Asker:
    """Asks the local Athena through boto3."""

    session: boto3.Session
    environment: Environment
    cloud: LocalCloud

    def run(self, sql: str, **arguments: Any) -> dict[str, Any]:
        """The execution of a statement, whatever its end."""
        athena = self.session.client("athena")
        arguments.setdefault("WorkGroup", self.environment.workgroup)
        arguments.setdefault("QueryExecutionContext", {"Database": self.environment.database})
        started = athena.start_query_execution(QueryString=sql, **arguments)
        execution = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
        return dict(execution["QueryExecution"])

    def done(self, sql: str, **arguments: Any) -> dict[str, Any]:
        """The execution of a statement that succeeds."""
        execution = self.run(sql, **arguments)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]["StateChangeReason"]
        return execution

    def rows(self, sql: str, **arguments: Any) -> list[list[str | None]]:
        """The rows of a query as text, without its header."""
        return self.page(self.done(sql, **arguments)["QueryExecutionId"])[1:]

    def page(self, execution_id: str) -> list[list[str | None]]:
        """The first page of an execution's result."""
        found = self.session.client("athena").get_query_results(QueryExecutionId=execution_id)
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found["ResultSet"]["Rows"]]

    def value(self, expression: str) -> str | None:
        """The text of one expression."""
        return self.rows(f"SELECT {expression} AS x")[0][0]

    def reason(self, sql: str, **arguments: Any) -> str:
        """Why a statement failed."""
        execution = self.run(sql, **arguments)
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        reason: str = execution["Status"]["StateChangeReason"]
        assert execution["Status"]["AthenaError"]["ErrorMessage"] == reason
        return reason

    def location(self) -> str:
        """A folder nobody used before."""
        return f"s3://{self.environment.offline_bucket}/test/{next(_NUMBERS)}/"

    def name(self) -> str:
        """A table name nobody used before."""
        return f"t{next(_NUMBERS)}"

    def keys(self, location: str) -> list[str]:
        """The keys of the objects in a folder, without the folder."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        listed = self.session.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [each["Key"].removeprefix(prefix) for each in listed.get("Contents", [])]

    def read(self, location: str, key: str = "") -> bytes:
        """An object's bytes."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        return bytes(self.session.client("s3").get_object(Bucket=bucket, Key=prefix + key)["Body"].read())


@pytest.fixture(scope="module")
def ask() -> Iterator[Asker]:
    """A provisioned local cloud to ask."""
    with LocalCloud() as cloud:
        environment = cloud.environment("test")
        cloud.provision(environment)
        yield Asker(cloud.session(), environment, cloud)

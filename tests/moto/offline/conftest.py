"""AWS as the offline store sees it: the local cloud with an environment's buckets, database and workgroup."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from asof.local import LocalCloud
from asof.names import Environment
from asof.offline.athena import Athena
from asof.offline.athena_engine import AthenaEngine
from asof.offline.duckdb_engine import DuckDBEngine
from asof.offline.engine import Engine
from tests.moto.offline import world


@dataclass
class Aws:
    """Clients of an account in which an environment is provisioned. ``history`` holds what ``build`` wrote."""

    environment: Environment
    s3: Any
    glue: Any
    athena: Any
    history: dict[str, list[world.Row]] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The offline bucket."""
        return self.environment.offline_bucket

    def keys(self, prefix: str = "") -> list[str]:
        """All keys of the offline bucket under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def tables(self) -> list[str]:
        """All tables of the database."""
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.environment.database)
        return [each["Name"] for page in pages for each in page["TableList"]]

    def state(self) -> tuple[list[str], list[str]]:
        """All that a call could have left behind."""
        return self.keys(), self.tables()

    def engine(self, name: str) -> Engine:
        """An engine over this account."""
        if name == "athena":
            return AthenaEngine(self.environment, Athena(self.athena, self.environment), self.glue, self.s3)
        return DuckDBEngine(self.environment, None, self.glue, self.s3)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """One local cloud per file."""
    with LocalCloud() as running:
        yield running


@pytest.fixture(scope="module")
def built(cloud: LocalCloud) -> Aws:
    """A whole environment with the made-up world in it, for tests that leave it as it is."""
    environment = cloud.environment("built")
    cloud.provision(environment)
    session = cloud.session()
    aws = Aws(environment, session.client("s3"), session.client("glue"), session.client("athena"))
    aws.history.update(world.build(aws.s3, aws.glue, aws.environment))
    return aws


@pytest.fixture(scope="module")
def clients(cloud: LocalCloud) -> tuple[Any, Any, Any]:
    """Clients of S3, Glue and Athena; making them is slow."""
    session = cloud.session()
    return session.client("s3"), session.client("glue"), session.client("athena")


@pytest.fixture
def aws(cloud: LocalCloud, clients: tuple[Any, Any, Any], request: pytest.FixtureRequest) -> Aws:
    """An empty bucket and database of its own for each test."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    environment = cloud.environment(f"t{digest}")
    s3, glue, athena = clients
    s3.create_bucket(
        Bucket=environment.offline_bucket, CreateBucketConfiguration={"LocationConstraint": environment.region}
    )
    glue.create_database(DatabaseInput={"Name": environment.database})
    return Aws(environment, s3, glue, athena)

"""What a run needs from outside, gathered once and injected; nothing here is created on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asof.clock import Clock, SystemClock
from asof.manifest import BatchSource, Entity, FeatureView, Manifest
from asof.names import Environment
from asof.offline.athena import Athena
from asof.offline.queries import Queries
from asof.online.client import client_config

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Services:
    """One environment's manifest and clients. boto3's clients are safe to share between threads.

    ``online`` is the client for the reader and the writer of features, ``dynamodb`` the one for everything else.
    """

    environment: Environment
    manifest: Manifest
    athena: Athena
    glue: GlueClient
    s3: S3Client
    dynamodb: DynamoDBClient
    online: DynamoDBClient
    clock: Clock
    instead: Queries | None = None

    @property
    def queries(self) -> Queries:
        """What runs ask their questions of: Athena, or what stands in ``instead``."""
        return self.athena if self.instead is None else self.instead

    @classmethod
    def connect(
        cls, environment: Environment, manifest: Manifest, session: boto3.Session, clock: Clock | None = None
    ) -> Services:
        """The services of an environment, through a boto3 session."""
        clock = clock or SystemClock()
        region = environment.region
        return cls(
            environment=environment,
            manifest=manifest,
            athena=Athena(session.client("athena", region_name=region), environment),
            glue=session.client("glue", region_name=region),
            s3=session.client("s3", region_name=region),
            # Leases and the ledger: a table that throttles for a while must not end a run.
            dynamodb=session.client("dynamodb", region_name=region, config=_patient()),
            # The reader and the writer retry and keep deadlines; botocore's own retries would sit inside them.
            online=session.client("dynamodb", region_name=region, config=client_config()),
            clock=clock,
        )

    def source(self, view: FeatureView) -> BatchSource:
        """The view's source."""
        return self.manifest.source(view.source)

    def entity(self, view: FeatureView) -> Entity:
        """The view's entity."""
        return self.manifest.entity(view.entity)


def _patient() -> Config:
    """Botocore's configuration of a client that waits out throttling: up to some 30 seconds."""
    from botocore.config import Config

    return Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 6}, tcp_keepalive=True)

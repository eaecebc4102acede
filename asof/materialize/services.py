"""What a run needs from outside, gathered once and injected; nothing here is created on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asof.clock import Clock, SystemClock
from asof.manifest import BatchSource, Entity, FeatureView, Manifest
from asof.names import Environment
from asof.offline.athena import Athena
from asof.online.client import client_config

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Services:
    """One environment's manifest and clients. boto3's clients are safe to share between threads."""

    environment: Environment
    manifest: Manifest
    athena: Athena
    glue: GlueClient
    s3: S3Client
    dynamodb: DynamoDBClient
    clock: Clock

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
            # The product retries and keeps deadlines itself; botocore's own retries would sit inside them.
            dynamodb=session.client("dynamodb", region_name=region, config=client_config()),
            clock=clock,
        )

    def source(self, view: FeatureView) -> BatchSource:
        """The view's source."""
        return self.manifest.source(view.source)

    def entity(self, view: FeatureView) -> Entity:
        """The view's entity."""
        return self.manifest.entity(view.entity)

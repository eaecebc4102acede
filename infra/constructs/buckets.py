"""The buckets: history, registry, and Athena's results. Encrypted, TLS only, never public."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_s3 as s3
from constructs import Construct

from asof.names import Environment

_NO_ACCESS_LOGS = (
    "Access is recorded by the account's CloudTrail data events where a team wants it; a log bucket per environment "
    "would be the busiest writer of an idle store"
)


class Buckets(Construct):
    """``offline``, ``registry`` and ``results``, with the lifecycle of everything in them that is not the history."""

    def __init__(self, scope: Construct, name: str, environment: Environment, removal: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.offline = self._bucket(
            "Offline",
            environment.offline_bucket,
            removal,
            lifecycle=[
                _expiring("scratch", 2, "scratch/"),
                _expiring("quarantine", 90, "quarantine/"),
            ],
        )
        self.registry = self._bucket("Registry", environment.registry_bucket, removal, versioned=True)
        self.results = self._bucket(
            "Results", environment.results_bucket, removal, lifecycle=[_expiring("results", 7, None)]
        )

    def _bucket(
        self,
        name: str,
        bucket_name: str,
        removal: RemovalPolicy,
        *,
        versioned: bool = False,
        lifecycle: list[s3.LifecycleRule] | None = None,
    ) -> s3.Bucket:
        unfinished = s3.LifecycleRule(id="unfinished", abort_incomplete_multipart_upload_after=Duration.days(2))
        bucket = s3.Bucket(
            self,
            name,
            bucket_name=bucket_name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=versioned,
            lifecycle_rules=[unfinished, *(lifecycle or [])],
            removal_policy=removal,
        )
        Validations.of(bucket).acknowledge(Acknowledgment(id="AwsSolutions-S1", reason=_NO_ACCESS_LOGS))
        return bucket


def _expiring(name: str, days: int, prefix: str | None) -> s3.LifecycleRule:
    return s3.LifecycleRule(id=name, prefix=prefix, expiration=Duration.days(days))

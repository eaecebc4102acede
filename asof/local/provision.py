"""What a deployment creates before any view exists: the same names and shapes as the storage stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asof.names import Environment

if TYPE_CHECKING:
    import boto3


def provision(session: boto3.Session, environment: Environment) -> None:
    """Create buckets, Glue database, Athena workgroup and DynamoDB tables; what exists already stays as it is."""
    _buckets(session, environment)
    glue = session.client("glue")
    _unless_exists(lambda: glue.create_database(DatabaseInput={"Name": environment.database}), "AlreadyExistsException")
    athena = session.client("athena")
    configuration: Any = {
        "ResultConfiguration": {"OutputLocation": f"s3://{environment.results_bucket}/"},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": False,
    }
    _unless_exists(
        lambda: athena.create_work_group(Name=environment.workgroup, Configuration=configuration),
        "InvalidRequestException",
    )
    _table(session, environment.online_table, ttl="x")
    _table(session, environment.control_table)


def _buckets(session: boto3.Session, environment: Environment) -> None:
    s3 = session.client("s3")
    constraint: Any = {"LocationConstraint": environment.region}
    where: Any = {} if environment.region == "us-east-1" else {"CreateBucketConfiguration": constraint}
    for bucket in (environment.offline_bucket, environment.registry_bucket, environment.results_bucket):

        def create(name: str = bucket) -> object:
            return s3.create_bucket(Bucket=name, **where)

        _unless_exists(create, "BucketAlreadyOwnedByYou")
    s3.put_bucket_versioning(Bucket=environment.registry_bucket, VersioningConfiguration={"Status": "Enabled"})


def _table(session: boto3.Session, name: str, ttl: str | None = None) -> None:
    """A table with string keys ``pk`` and ``sk``, on demand, with ``ttl`` as its time-to-live attribute."""
    dynamodb = session.client("dynamodb")

    def create() -> object:
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        if ttl is not None:
            dynamodb.update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl}
            )
        return None

    _unless_exists(create, "ResourceInUseException")


def _unless_exists(create: Callable[[], object], code: str) -> None:
    from botocore.exceptions import ClientError

    try:
        create()
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise

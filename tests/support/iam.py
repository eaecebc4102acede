"""What IAM would ask for: from the calls that boto3's clients make to the actions and resources they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from infra.permissions import Grant
from infra.places import Places

Need = tuple[str, str]
"""An action and the ARN of what it acts on."""

_S3 = {
    "GetObject": ("s3:GetObject", True),
    "PutObject": ("s3:PutObject", True),
    "ListObjectsV2": ("s3:ListBucket", False),
}


def needs(places: Places, service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    """What one call needs; a KeyError says that this page does not know the call yet."""
    if service == "dynamodb":
        yield from _dynamodb(places, operation, parameters)
    elif service == "s3":
        yield from _s3(places, operation, parameters)
    elif service == "glue":
        database = parameters["DatabaseName"]
        table = parameters.get("TableName", parameters.get("Name")) or parameters["TableInput"]["Name"]
        for resource in ("catalog", f"database/{database}", f"table/{database}/{table}"):
            yield f"glue:{operation}", places.arn("glue", resource)
    elif service == "athena":
        yield f"athena:{operation}", places.workgroup
    elif service == "sns":
        yield f"sns:{operation}", parameters["TopicArn"]
    elif service == "stepfunctions":
        yield f"states:{operation}", parameters["executionArn"]
    else:
        raise KeyError(f"{service}.{operation}")


def _dynamodb(places: Places, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    def table(name: str) -> str:
        return places.arn("dynamodb", f"table/{name}")

    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            ((kind, part),) = item.items()
            yield {"Put": "dynamodb:PutItem", "Update": "dynamodb:UpdateItem"}[kind], table(part["TableName"])
    elif operation == "BatchGetItem":
        yield from (("dynamodb:BatchGetItem", table(name)) for name in parameters["RequestItems"])
    else:
        yield f"dynamodb:{operation}", table(parameters["TableName"])


def _s3(places: Places, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    bucket = parameters["Bucket"]
    if operation == "DeleteObjects":
        for each in parameters["Delete"]["Objects"]:
            yield "s3:DeleteObject", f"{places.bucket(bucket)}/{each['Key']}"
        return
    action, on_object = _S3[operation]
    yield action, f"{places.bucket(bucket)}/{parameters['Key']}" if on_object else places.bucket(bucket)
    if operation == "GetObject":
        yield "s3:ListBucket", places.bucket(bucket)  # without it, what is not there counts as denied


def covers(grant: Grant, need: Need) -> bool:
    """Whether a grant allows it."""
    action, resource = need
    return action in grant.actions and any(fnmatchcase(resource, each) for each in grant.resources)

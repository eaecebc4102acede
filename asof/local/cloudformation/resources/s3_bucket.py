"""AWS::S3::Bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_list, unless_missing
from asof.local.cloudformation.resources.s3_lifecycle import api_rules


class S3Bucket(ResourceType):
    """A bucket with encryption, versioning, lifecycle, tags and blocked public access."""

    type = "AWS::S3::Bucket"
    properties = frozenset(
        {
            "BucketName", "BucketEncryption", "VersioningConfiguration", "LifecycleConfiguration",
            "PublicAccessBlockConfiguration", "OwnershipControls", "CorsConfiguration", "LoggingConfiguration", "Tags",
        }
    )  # fmt: skip
    # Everybody is the owner here, and nothing measures or moves objects.
    accepted = frozenset({"AccessControl", "MetricsConfigurations", "IntelligentTieringConfigurations"})
    replacing = frozenset({"BucketName"})
    name_property = "BucketName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateBucket, then each configuration."""
        name = properties.get("BucketName") or context.name(63).lower()
        where = {} if context.region == "us-east-1" else {"LocationConstraint": context.region}
        configuration = {"CreateBucketConfiguration": where} if where else {}
        context.client("s3").create_bucket(Bucket=name, **configuration)
        _configure(context.client("s3"), name, {}, properties)
        return _deployed(context, name)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Each configuration that changed."""
        _configure(context.client("s3"), physical_id, old, new)
        return _deployed(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteBucket, which fails where objects are in it."""
        unless_missing(lambda: context.client("s3").delete_bucket(Bucket=physical_id), "NoSuchBucket")


def _configure(s3: Any, name: str, old: Properties, new: Properties) -> None:
    """Put what changed, and take away what is there no more."""
    for property_name, (put, parameter, translated) in _PUT.items():
        if property_name in new and old.get(property_name) != new[property_name]:
            getattr(s3, put)(Bucket=name, **{parameter: translated(new[property_name])})
    for property_name, remove in _REMOVE.items():
        if property_name in old and property_name not in new:
            remove(s3, name)
    # Access logs are not written here; where they would go is not checked either.


def _encryption(value: Properties) -> dict[str, Any]:
    return {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                "BucketKeyEnabled": bool(rule.get("BucketKeyEnabled", False)),
            }
            for rule in value["ServerSideEncryptionConfiguration"]
        ]
    }


def _cors(value: Properties) -> dict[str, Any]:
    return {"CORSRules": [{name: rule[name] for name in rule if name != "Id"} for rule in value["CorsRules"]]}


_PUT: Final[Mapping[str, tuple[str, str, Callable[[Any], Any]]]] = {
    "BucketEncryption": ("put_bucket_encryption", "ServerSideEncryptionConfiguration", _encryption),
    "VersioningConfiguration": ("put_bucket_versioning", "VersioningConfiguration", dict),
    "LifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        "LifecycleConfiguration",
        lambda value: {"Rules": api_rules(value["Rules"])},
    ),
    "PublicAccessBlockConfiguration": ("put_public_access_block", "PublicAccessBlockConfiguration", dict),
    "OwnershipControls": ("put_bucket_ownership_controls", "OwnershipControls", dict),
    "CorsConfiguration": ("put_bucket_cors", "CORSConfiguration", _cors),
    "Tags": ("put_bucket_tagging", "Tagging", lambda value: {"TagSet": tag_list(value)}),
}
"""The call that puts a configuration, the parameter it goes into, and how it is spelled there."""

_REMOVE: Final[Mapping[str, Callable[[Any, str], object]]] = {
    "BucketEncryption": lambda s3, name: s3.delete_bucket_encryption(Bucket=name),
    "VersioningConfiguration": lambda s3, name: s3.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Suspended"}
    ),
    "LifecycleConfiguration": lambda s3, name: s3.delete_bucket_lifecycle(Bucket=name),
    "PublicAccessBlockConfiguration": lambda s3, name: s3.delete_public_access_block(Bucket=name),
    "OwnershipControls": lambda s3, name: s3.delete_bucket_ownership_controls(Bucket=name),
    "CorsConfiguration": lambda s3, name: s3.delete_bucket_cors(Bucket=name),
    "Tags": lambda s3, name: s3.delete_bucket_tagging(Bucket=name),
}


def _deployed(context: Context, name: str) -> Deployed:
    return Deployed(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{context.region}.amazonaws.com",
        },
    )

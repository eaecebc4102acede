"""AWS::S3::BucketPolicy."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class S3BucketPolicy(ResourceType):
    """The policy of a bucket."""

    type = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})
    replacing = frozenset({"Bucket"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """PutBucketPolicy."""
        bucket = properties["Bucket"]
        context.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(properties["PolicyDocument"]))
        return Deployed(bucket)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """PutBucketPolicy again."""
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002
        """DeleteBucketPolicy."""
        unless_missing(lambda: context.client("s3").delete_bucket_policy(Bucket=physical_id), "NoSuchBucket")

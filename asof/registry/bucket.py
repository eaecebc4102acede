"""Texts in the registry's bucket: read, listed, and written once. boto3 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from asof.errors import ManifestError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def exists(s3: S3Client, bucket: str) -> bool:
    """Whether there is such a bucket."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            return False
        raise
    return True


def read_text(s3: S3Client, bucket: str, key: str) -> str | None:
    """An object's text, None where there is no such object; raises ManifestError where there is no such bucket."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise _explained(error, bucket) from error


def write_text(s3: S3Client, bucket: str, key: str, text: str, *, once: bool = False) -> bool:
    """Write an object; with ``once`` only where there is none. Returns whether it was written."""
    try:
        if once:
            s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json", IfNoneMatch="*")
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    except ClientError as error:
        if once and error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            return False
        raise _explained(error, bucket) from error
    return True


def list_keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The keys under a prefix, in order; raises ManifestError where there is no such bucket."""
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]
    except ClientError as error:
        raise _explained(error, bucket) from error


def _explained(error: ClientError, bucket: str) -> Exception:
    """The error to raise: what can be said better than S3 does."""
    if error.response["Error"]["Code"] == "NoSuchBucket":
        return ManifestError(f"bucket {bucket!r} does not exist: is this environment deployed?")
    return error

"""Publishing a manifest to an environment's registry bucket, and reading it back.

| object                        | what                                                                   |
|-------------------------------|------------------------------------------------------------------------|
| ``versions/<kind>/<ref>.json``| the data fingerprint of each version ever published; never overwritten |
| ``manifest/<fingerprint>.json``| every manifest ever published                                         |
| ``manifest/current.json``     | the manifest in force                                                  |

Versions are recorded before the manifest comes into force, so a publication that dies in between can be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from asof.errors import ManifestError, PublishedVersionError
from asof.manifest import Manifest
from asof.names import MANIFEST_KEY, Environment, view_reference

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read_manifest(s3: S3Client, environment: Environment) -> Manifest:
    """The manifest in force; raises ManifestError where nothing was ever published."""
    text = _read(s3, environment.registry_bucket, MANIFEST_KEY)
    if text is None:
        raise ManifestError(
            f"environment {environment.name!r} has no published definitions "
            f"(s3://{environment.registry_bucket}/{MANIFEST_KEY}); run: asof apply --env {environment.name}"
        )
    return Manifest.from_json(text)


def archived_manifest(s3: S3Client, environment: Environment, digest: str) -> Manifest:
    """A manifest that was published at some time, by the SHA-256 of its text; raises ManifestError where none was."""
    text = _read(s3, environment.registry_bucket, f"manifest/{digest}.json")
    if text is None:
        raise ManifestError(f"s3://{environment.registry_bucket} holds no manifest {digest}: it was never published")
    return Manifest.from_json(text)


def check(s3: S3Client, environment: Environment, manifest: Manifest) -> list[str]:
    """The references of a manifest's versions that are new; nothing is written.

    Raises PublishedVersionError, naming all of them, where published versions would change their meaning.
    """
    published = {key: _read(s3, environment.registry_bucket, key) for key, _, _ in _versions(manifest)}
    changed = [reference for key, reference, text in _versions(manifest) if published[key] not in (None, text)]
    if changed:
        raise PublishedVersionError(changed)
    return [reference for key, reference, _ in _versions(manifest) if published[key] is None]


def publish(s3: S3Client, environment: Environment, manifest: Manifest) -> list[str]:
    """Put a manifest into force; the references of the versions that are new.

    Raises PublishedVersionError, naming all of them, where published versions would change their meaning; nothing is
    written then. Repeating a publication changes nothing.
    """
    bucket = environment.registry_bucket
    new = check(s3, environment, manifest)
    for key, reference, text in _versions(manifest):
        if reference in new:
            _write_once(s3, bucket, key, text, reference)
    text = manifest.to_json()
    digest = hashlib.sha256(text.encode()).hexdigest()
    for key in (f"manifest/{digest}.json", MANIFEST_KEY):
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    return new


def _versions(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Key, reference and text of each version's record."""
    kinds = (
        ("feature_view", manifest.feature_views),
        ("on_demand_feature_view", manifest.on_demand_feature_views),
        ("feature_service", manifest.feature_services),
    )
    for kind, items in kinds:
        for item in items:
            reference = view_reference(item.name, item.version)
            text = json.dumps({"data_fingerprint": item.data_fingerprint}) + "\n"
            yield f"versions/{kind}/{reference}.json", reference, text


def _read(s3: S3Client, bucket: str, key: str) -> str | None:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        if error.response["Error"]["Code"] == "NoSuchBucket":
            raise ManifestError(f"bucket {bucket!r} does not exist: is this environment deployed?") from error
        raise


def _write_once(s3: S3Client, bucket: str, key: str, text: str, reference: str) -> None:
    """Write an object unless it exists: of two that publish the same new version at once, the first one defines it."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        if _read(s3, bucket, key) != text:
            raise PublishedVersionError([reference]) from error

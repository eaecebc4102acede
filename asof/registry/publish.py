"""Publishing a manifest to an environment's registry bucket, and reading it back.

| object                                | what                                                                   |
|---------------------------------------|------------------------------------------------------------------------|
| ``versions/<kind>/<ref>.json``        | the data fingerprint of each version ever published; never overwritten |
| ``versions/retired/<ref>.json``       | a mark: this version is out of service (``asof.registry.retired``)     |
| ``manifest/<fingerprint>.json``       | every manifest ever published                                          |
| ``manifest/published/<ms>-<fp>.json`` | when each came into force (``asof.registry.publications``)             |
| ``manifest/current.json``             | the manifest in force                                                  |

Versions are recorded before the manifest comes into force, so a publication that dies in between can be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asof.clock import Clock, SystemClock
from asof.errors import ManifestError, PublishedVersionError, RetiredVersionError
from asof.manifest import Manifest
from asof.names import MANIFEST_KEY, Environment, view_reference
from asof.registry.bucket import read_text, write_text
from asof.registry.publications import record_publication
from asof.registry.retired import brought_back, retired_versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def manifest_fingerprint(manifest: Manifest) -> str:
    """The SHA-256 of a manifest's text, in hex: its name in the registry."""
    return hashlib.sha256(manifest.to_json().encode()).hexdigest()


def published_manifest(s3: S3Client, environment: Environment) -> Manifest | None:
    """The manifest in force, None where nothing was ever published; raises ManifestError without a registry bucket."""
    text = read_text(s3, environment.registry_bucket, MANIFEST_KEY)
    return None if text is None else Manifest.from_json(text)


def read_manifest(s3: S3Client, environment: Environment) -> Manifest:
    """The manifest in force; raises ManifestError where nothing was ever published."""
    manifest = published_manifest(s3, environment)
    if manifest is None:
        raise ManifestError(
            f"environment {environment.name!r} has no published definitions "
            f"(s3://{environment.registry_bucket}/{MANIFEST_KEY}); run: asof apply --env {environment.name}"
        )
    return manifest


def archived_manifest(s3: S3Client, environment: Environment, digest: str) -> Manifest:
    """A manifest that was published at some time, by the SHA-256 of its text; raises ManifestError where none was."""
    text = read_text(s3, environment.registry_bucket, f"manifest/{digest}.json")
    if text is None:
        raise ManifestError(f"s3://{environment.registry_bucket} holds no manifest {digest}: it was never published")
    return Manifest.from_json(text)


def check(s3: S3Client, environment: Environment, manifest: Manifest) -> list[str]:
    """The references of a manifest's versions that are new; nothing is written.

    Raises PublishedVersionError, naming all of them, where published versions would change their meaning, and
    RetiredVersionError where retired versions would come back into service.
    """
    bucket = environment.registry_bucket
    published = {key: read_text(s3, bucket, key) for key, _, _ in _versions(manifest)}
    changed = [reference for key, reference, text in _versions(manifest) if published[key] not in (None, text)]
    if changed:
        raise PublishedVersionError(changed)
    back = brought_back(manifest, retired_versions(s3, bucket))
    if back:
        raise RetiredVersionError(back)
    return [reference for key, reference, _ in _versions(manifest) if published[key] is None]


def publish(s3: S3Client, environment: Environment, manifest: Manifest, *, clock: Clock | None = None) -> list[str]:
    """Put a manifest into force; the references of the versions that are new. ``clock`` dates the publication.

    Raises PublishedVersionError, naming all of them, where published versions would change their meaning, and
    RetiredVersionError where retired ones would come back; nothing is written then. Repeating a publication changes
    nothing.
    """
    bucket = environment.registry_bucket
    new = check(s3, environment, manifest)
    for key, reference, text in _versions(manifest):
        # Of two that publish the same new version at once, the first one defines it.
        if reference in new and not write_text(s3, bucket, key, text, once=True) and read_text(s3, bucket, key) != text:
            raise PublishedVersionError([reference])
    fingerprint, text = manifest_fingerprint(manifest), manifest.to_json()
    write_text(s3, bucket, f"manifest/{fingerprint}.json", text)
    record_publication(s3, bucket, fingerprint, (clock or SystemClock()).now_ms())
    write_text(s3, bucket, MANIFEST_KEY, text)
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

"""Marks of retired versions: ``versions/retired/<reference>.json``, beside the record that keeps the name taken."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from asof.manifest import Manifest
from asof.registry.bucket import list_keys, write_text
from asof.registry.readers import readers

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "versions/retired/"


def retired_versions(s3: S3Client, bucket: str) -> frozenset[str]:
    """The references of all retired view versions; raises ManifestError where there is no such bucket."""
    return frozenset(key.removeprefix(PREFIX).removesuffix(".json") for key in list_keys(s3, bucket, PREFIX))


def mark_retired(s3: S3Client, bucket: str, reference: str, now_ms: int) -> bool:
    """Mark a version as retired; the first mark stays. Returns whether this one is it."""
    return write_text(s3, bucket, _key(reference), json.dumps({"retired_ms": now_ms}) + "\n", once=True)


def take_mark_back(s3: S3Client, bucket: str, reference: str) -> None:
    """Forget a mark that was made in error, before anything followed from it."""
    s3.delete_object(Bucket=bucket, Key=_key(reference))


def brought_back(manifest: Manifest, retired: Collection[str]) -> list[str]:
    """The retired versions that a manifest would put into service: not deprecated, or read by somebody.

    A retired version may stay in the definitions as deprecated, so that a deployment need not remove it at once.
    """
    views = {view.reference: view for view in manifest.views()}
    return [
        reference
        for reference in sorted(retired)
        if (view := views.get(reference)) is not None
        and (not view.deprecated or readers(manifest, view.name, view.version))
    ]


def _key(reference: str) -> str:
    return f"{PREFIX}{reference}.json"

"""Which manifest came into force when: one small object per publication, in the order of their keys.

``manifest/published/<milliseconds>-<fingerprint>.json`` names the time and the manifest. It is written before the
manifest comes into force, so that what is in force was always recorded; of a publication that died in between, the
record stands and the next publication follows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asof.registry.bucket import list_keys, write_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "manifest/published/"


@dataclass(frozen=True, slots=True, order=True)
class Publication:
    """A manifest, by the SHA-256 of its text, and when it was published. No two have the same time."""

    published_ms: int
    fingerprint: str


def publications(s3: S3Client, bucket: str) -> list[Publication]:
    """All publications, oldest first; raises ManifestError where there is no such bucket."""
    names = [key.removeprefix(PREFIX).removesuffix(".json") for key in list_keys(s3, bucket, PREFIX)]
    return sorted(
        Publication(int(time), fingerprint) for time, _, fingerprint in (name.partition("-") for name in names)
    )


def record_publication(s3: S3Client, bucket: str, fingerprint: str, now_ms: int) -> None:
    """Record that a manifest is about to come into force, unless it is the last one recorded.

    A clock that lags behind the last publisher's does not change the order.
    """
    last = max(publications(s3, bucket), default=Publication(-1, ""))
    if last.fingerprint == fingerprint:
        return
    published_ms = max(now_ms, last.published_ms + 1)
    text = json.dumps({"manifest": fingerprint, "published_ms": published_ms}, sort_keys=True) + "\n"
    write_text(s3, bucket, f"{PREFIX}{published_ms:013d}-{fingerprint}.json", text)

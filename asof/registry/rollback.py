"""What was in force when, which manifest to go back to, and whether that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asof.errors import RequestError, RetiredVersionError, UnknownFeatureError
from asof.manifest import Manifest
from asof.names import Environment
from asof.registry.diff import Diff, diff
from asof.registry.publications import Publication, publications
from asof.registry.publish import archived_manifest, manifest_fingerprint, read_manifest
from asof.registry.retired import brought_back, retired_versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SHORTEST: Final = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """A publication, what it changed against the one before, and whether it is the one in force."""

    publication: Publication
    changes: Diff
    in_force: bool


@dataclass(frozen=True, slots=True)
class Rollback:
    """An earlier manifest that can be put back in force, and what that changes."""

    publication: Publication
    manifest: Manifest
    changes: Diff


def publication_history(s3: S3Client, environment: Environment, limit: int) -> list[Entry]:
    """The last ``limit`` publications, oldest first. Raises ManifestError where nothing was ever published."""
    in_force = manifest_fingerprint(read_manifest(s3, environment))
    published = publications(s3, environment.registry_bucket)
    current = max((each for each in published if each.fingerprint == in_force), default=None)
    shown = published[-limit - 1 :]
    manifests: list[Manifest | None] = [archived_manifest(s3, environment, each.fingerprint) for each in shown]
    if len(published) <= limit:
        shown, manifests = [Publication(0, ""), *shown], [None, *manifests]
    return [
        Entry(each, diff(before, after), each == current)
        for each, before, after in zip(shown[1:], manifests, manifests[1:], strict=False)
        if after is not None
    ]


def prepare_rollback(s3: S3Client, environment: Environment, wanted: str | None) -> Rollback:
    """What going back to a manifest comes to; nothing is changed.

    Raises what :func:`rollback_target` does, and RetiredVersionError where it would bring retired versions back.
    """
    current = read_manifest(s3, environment)
    bucket = environment.registry_bucket
    target = rollback_target(publications(s3, bucket), manifest_fingerprint(current), wanted)
    earlier = archived_manifest(s3, environment, target.fingerprint)
    back = brought_back(earlier, retired_versions(s3, bucket))
    if back:
        raise RetiredVersionError(back)
    return Rollback(target, earlier, diff(current, earlier))


def rollback_target(published: Sequence[Publication], in_force: str, wanted: str | None) -> Publication:
    """The publication to go back to, of those given oldest first, where the manifest ``in_force`` is in force.

    ``wanted`` is a fingerprint or the beginning of one, at least six characters; without it, it is the last
    publication of another manifest. Raises UnknownFeatureError where there is none, and RequestError where the
    beginning is ambiguous, too short, or that of the manifest in force.
    """
    if wanted is None:
        earlier = [each for each in published if each.fingerprint != in_force]
        if not earlier:
            raise RequestError("there is no earlier manifest to go back to: only one was ever published")
        return earlier[-1]
    if len(wanted) < _SHORTEST:
        raise RequestError(f"{wanted!r} is too short for a fingerprint; give at least {_SHORTEST} characters of it")
    found = {each.fingerprint: each for each in published if each.fingerprint.startswith(wanted)}
    if not found:
        raise UnknownFeatureError(wanted, [each.fingerprint[:12] for each in published], "published manifest")
    if len(found) > 1:
        raise RequestError(f"{wanted!r} could be {' or '.join(sorted(found))}; give more of it")
    (target,) = found.values()
    if target.fingerprint == in_force:
        raise RequestError(f"manifest {target.fingerprint[:12]} is in force already; nothing was changed")
    return target

"""Objects of moto's S3: listed by location, brought to local files for DuckDB, written back.

DuckDB cannot reach moto in-process, so each object is copied once to a temporary folder, named by its ETag; an object
that changes gets another ETag and another file.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asof.local.athena.errors import QueryFailedError


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's identity and size in bytes."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI; raises QueryFailedError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise QueryFailedError("INVALID_TABLE_PROPERTY", f"{uri!r} is not an S3 location (s3://bucket/prefix/)")
    return bucket, key


def folder(uri: str) -> str:
    """The location with a final slash: Athena reads and writes folders, never parts of names."""
    return uri if uri.endswith("/") else f"{uri}/"


class ObjectStore:
    """Access to one account's S3. ``cache`` is a folder that belongs to this store alone."""

    def __init__(self, account: str, partition: str, cache: Path) -> None:
        self._account = account
        self._partition = partition
        self._cache = cache

    def _bucket(self, name: str) -> Any:
        from moto.s3.exceptions import MissingBucket

        try:
            return self._backend.get_bucket(name)
        except MissingBucket:
            raise QueryFailedError(
                "HIVE_FILESYSTEM_ERROR", f"The specified bucket does not exist (NoSuchBucket): s3://{name}/"
            ) from None

    @property
    def _backend(self) -> Any:
        from moto.s3.models import s3_backends

        return s3_backends[self._account][self._partition]

    def listing(self) -> Listing:
        """A view of the buckets as they are now; one per statement, so that a statement reads one state."""
        return Listing(self._bucket)

    def localize(self, item: StoredObject, partition: Sequence[tuple[str, str]]) -> Path:
        """A local file with the object's bytes, in folders ``name=value`` of the partition it is read as."""
        place = self._cache.joinpath(*(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in partition))
        path = place / (item.etag.strip('"') + Path(item.key).suffix)
        if not path.exists():
            place.mkdir(parents=True, exist_ok=True)
            # Written beside and moved: another thread never sees half a file.
            partial = path.with_name(f"{path.name}.{id(item)}.partial")
            partial.write_bytes(self.read(item.bucket, item.key))
            partial.replace(path)
        return path

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes; raises QueryFailedError where there is none."""
        stored = self._bucket(bucket).keys.get(key)
        if not hasattr(stored, "value"):
            raise QueryFailedError("HIVE_CANNOT_OPEN_SPLIT", f"The specified key does not exist: s3://{bucket}/{key}")
        data: bytes = stored.value
        return data

    def write(self, uri: str, data: bytes) -> None:
        """Create or replace an object."""
        bucket, key = split_uri(uri)
        self._bucket(bucket)
        self._backend.put_object(bucket_name=bucket, key_name=key, value=data)


class Listing:
    """Keys of buckets, sorted once, so that hundreds of partitions are found by bisection."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        self._buckets: dict[str, tuple[list[str], Any]] = {}

    def under(self, location: str) -> list[StoredObject]:
        """The data objects in a folder and its subfolders; hidden (``_``, ``.``) and empty ones do not count."""
        bucket, prefix = split_uri(folder(location))
        found = []
        for key, stored in self._entries(bucket, prefix):
            hidden = any(part[:1] in ("_", ".") for part in key[len(prefix) :].split("/"))
            if not hidden and stored.size:
                found.append(StoredObject(bucket, key, stored.etag, stored.size))
        return found

    def is_empty(self, location: str) -> bool:
        """Whether there is no object at all in the folder."""
        bucket, prefix = split_uri(folder(location))
        return not any(True for _ in self._entries(bucket, prefix))

    def _entries(self, bucket: str, prefix: str) -> list[tuple[str, Any]]:
        if bucket not in self._buckets:
            keys = self._bucket(bucket).keys
            self._buckets[bucket] = (sorted(keys), keys)
        names, keys = self._buckets[bucket]
        entries = []
        for name in names[bisect.bisect_left(names, prefix) :]:
            if not name.startswith(prefix):
                break
            stored = keys.get(name)
            if hasattr(stored, "value"):  # a delete marker has none
                entries.append((name, stored))
        return entries

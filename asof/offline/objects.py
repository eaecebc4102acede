"""Objects in S3: listed, deleted, and kept as local files under a name that changes with their content. boto3 only."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import QueryError, RequestError

_DELETE_AT_ONCE: Final = 1_000
_DOWNLOADS: Final = 8


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object as listed: where it is, its size in bytes, and the tag that changes with its content."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key prefix of ``s3://bucket/prefix``; raises RequestError for other text."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise RequestError(f"{uri!r} is not an S3 URI; write 's3://bucket/prefix/'")
    return bucket, prefix


def folder_uri(uri: str) -> str:
    """The URI with one final ``/``, as table locations and UNLOAD want it; raises RequestError for other text."""
    split_uri(uri)
    return uri.rstrip("/") + "/"


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[S3Object]:
    """The data objects under a prefix, by key. Empty ones and those named ``_...`` or ``....`` are no data, as in Hive.

    Raises QueryError where the bucket cannot be listed.
    """
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for listed in page.get("Contents", ()):
                if listed["Size"] and not listed["Key"].rpartition("/")[2].startswith(("_", ".")):
                    yield S3Object(bucket, listed["Key"], listed["ETag"].strip('"'), int(listed["Size"]))
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"s3://{bucket}/{prefix} cannot be listed: {error}") from error


def require_empty(s3: Any, location: str) -> None:
    """Raise RequestError where anything but a console's folder marker lies under a prefix about to be written to.

    Raises QueryError where the bucket cannot be listed.
    """
    bucket, prefix = split_uri(location)
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=2)
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"{location} cannot be listed: {error}") from error
    if any(each["Key"] != prefix for each in listed.get("Contents", ())):
        raise RequestError(f"{location} is not empty, and a training set never replaces another; nothing was run")


def delete_prefix(s3: Any, bucket: str, prefix: str) -> int:
    """Delete everything under a prefix (which must end in ``/``); returns how many objects.

    Raises QueryError with S3's reasons where an object would not go.
    """
    if not prefix.endswith("/"):
        raise RequestError(f"refusing to delete {prefix!r}: a prefix to delete ends in '/'")
    deleted = 0
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = iter([{"Key": listed["Key"]} for page in pages for listed in page.get("Contents", ())])
        while batch := list(islice(keys, _DELETE_AT_ONCE)):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                said = "; ".join(f"{each['Key']}: {each.get('Code')} {each.get('Message', '')}" for each in errors[:5])
                raise QueryError(f"{len(errors)} objects under s3://{bucket}/{prefix} cannot be deleted: {said}")
            deleted += len(batch)
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"s3://{bucket}/{prefix} cannot be deleted: {error}") from error
    return deleted


class ObjectCache:
    """Local copies of objects. A file's name is made from the object's place and content tag, so it never goes stale.

    ``group`` of :meth:`paths` is a folder path below ``folder``, for example Hive's ``event_date=.../run=...``.
    Safe between threads and processes: a file appears under its name only when it is whole.
    """

    def __init__(self, s3: Any, folder: Path) -> None:
        self._s3 = s3
        self._folder = folder

    def paths(self, objects: Iterable[tuple[S3Object, str]]) -> list[Path]:
        """One file per ``(object, group)``, in order, downloaded where it is not there yet."""
        wanted = [(each, self._place(each, group)) for each, group in objects]
        missing = [(each, path) for each, path in wanted if not path.exists()]
        self._download(missing)
        return [path for _, path in wanted]

    def _place(self, each: S3Object, group: str) -> Path:
        name = hashlib.sha256(f"{each.uri}\n{each.etag}".encode()).hexdigest()[:40]
        return self._folder / group / f"{name}.parquet"

    def _download(self, missing: Sequence[tuple[S3Object, Path]]) -> None:
        if not missing:
            return
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            for _ in pool.map(lambda pair: self._fetch(*pair), missing):
                pass

    def _fetch(self, each: S3Object, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                # IfMatch: an object that was replaced since it was listed must not pass for the listed one.
                body = self._s3.get_object(Bucket=each.bucket, Key=each.key, IfMatch=f'"{each.etag}"')["Body"]
                shutil.copyfileobj(body, file, 1 << 20)
            Path(partial).replace(path)
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"{each.uri} cannot be read: {error}") from error
        finally:
            Path(partial).unlink(missing_ok=True)

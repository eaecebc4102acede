"""Parquet in S3 as Arrow: schemas from the footer alone, whole prefixes as one table, and a table as an object."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import QueryError
from asof.extras import require
from asof.offline.objects import S3Object, list_objects, split_uri

if TYPE_CHECKING:
    import pyarrow as pa

_DOWNLOADS: Final = 8


class RangedObject(io.RawIOBase):
    """An object as a file that reads only the ranges asked for; a footer costs two small requests."""

    def __init__(self, s3: Any, each: S3Object) -> None:
        super().__init__()
        self._s3 = s3
        self._object = each
        self._at = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; returns it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._object.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on; returns how many bytes there were."""
        end = min(self._at + len(buffer), self._object.size)
        if end <= self._at:
            return 0
        data = _get(self._s3, self._object, Range=f"bytes={self._at}-{end - 1}")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def read_schema(s3: Any, each: S3Object) -> pa.Schema:
    """The Arrow schema of a Parquet object."""
    parquet = require("pyarrow.parquet", "offline", "reading Parquet")
    pa = require("pyarrow", "offline", "reading Parquet")
    try:
        return parquet.read_schema(RangedObject(s3, each))
    except pa.ArrowInvalid as error:
        raise QueryError(f"{each.uri} is not Parquet: {error}") from error


def count_rows(s3: Any, location: str) -> int:
    """The number of rows of all Parquet objects under a prefix, from their footers."""
    parquet = require("pyarrow.parquet", "offline", "reading Parquet")
    objects = list_objects(s3, *split_uri(location))
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        return sum(pool.map(lambda each: int(parquet.read_metadata(RangedObject(s3, each)).num_rows), objects))


def read_prefix(s3: Any, location: str) -> pa.Table | None:
    """All rows of the Parquet objects under a prefix, in no particular order; None where there is no object."""
    parquet = require("pyarrow.parquet", "offline", "reading Parquet")
    pa = require("pyarrow", "offline", "reading Parquet")

    def read(each: S3Object) -> Any:
        # Athena writes INT96 timestamps; by default Arrow makes nanoseconds of them, which end in 2262.
        return parquet.read_table(io.BytesIO(_get(s3, each)), coerce_int96_timestamp_unit="ms", partitioning=None)

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        tables = list(pool.map(read, list_objects(s3, *split_uri(location))))
    return pa.concat_tables(tables, promote_options="permissive") if tables else None


def write_object(s3: Any, table: pa.Table, uri: str) -> None:
    """Write a table as one ZSTD Parquet object; raises QueryError where S3 does not take it."""
    parquet = require("pyarrow.parquet", "offline", "writing Parquet")
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    buffer.seek(0)
    bucket, key = split_uri(uri)
    try:
        s3.upload_fileobj(buffer, bucket, key)
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"{uri} cannot be written: {error}") from error


def _get(s3: Any, each: S3Object, **arguments: Any) -> bytes:
    try:
        body: bytes = s3.get_object(Bucket=each.bucket, Key=each.key, **arguments)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"{each.uri} cannot be read: {error}") from error
    return body

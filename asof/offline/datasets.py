"""Records of saved training sets: a small JSON object beside the Parquet, saying exactly what it was made from."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import ManifestError, QueryError
from asof.offline.objects import folder_uri, split_uri

RECORD: Final = "_dataset.json"
"""The record's object name; engines do not read objects that begin with an underscore as data."""


@dataclass(frozen=True, slots=True)
class SavedDataset:
    """A training set in S3. With the same history, ``known_as_of`` set and the same entity rows, it can be made again.

    ``features`` are pinned references in column order; instants are ISO text; ``manifest`` is the fingerprint of the
    definitions in force; ``query_ids`` are Athena's.
    """

    name: str
    location: str
    features: tuple[str, ...]
    as_of: str
    known_as_of: str | None
    label: str
    rows: int
    engine: str
    manifest: str
    scanned_bytes: int
    query_ids: tuple[str, ...] = ()


def save_record(s3: Any, dataset: SavedDataset) -> None:
    """Write the record beside its data; raises QueryError where S3 does not take it."""
    bucket, prefix = split_uri(dataset.location)
    text = json.dumps(dataclasses.asdict(dataset), indent=2, sort_keys=True) + "\n"
    try:
        s3.put_object(Bucket=bucket, Key=prefix + RECORD, Body=text.encode(), ContentType="application/json")
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"the record of {dataset.location} cannot be written: {error}") from error


def read_record(s3: Any, location: str) -> SavedDataset:
    """The record of a saved training set.

    Raises QueryError where there is none, and ManifestError where it is not a record this version can read.
    """
    bucket, prefix = split_uri(folder_uri(location))
    try:
        text = s3.get_object(Bucket=bucket, Key=prefix + RECORD)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise QueryError(f"there is no record of a training set under {location}: {error}") from error
    try:
        parts = json.loads(text)
        listed = {"features": tuple(parts["features"]), "query_ids": tuple(parts["query_ids"])}
        return SavedDataset(**{**parts, **listed})
    except (ValueError, TypeError, KeyError) as error:
        raise ManifestError(f"{location}{RECORD} is not a record of a training set: {error}") from error

"""Objects in S3: cached by content, deleted whole, read by ranges; and the record beside a training set."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from asof.errors import ManifestError, QueryError, RequestError
from asof.offline import objects
from asof.offline.datasets import RECORD, SavedDataset, read_record, save_record
from asof.offline.objects import ObjectCache, S3Object, delete_prefix, list_objects, split_uri
from asof.offline.parquet import count_rows, read_prefix, read_schema, write_object
from tests.moto.offline.conftest import Aws


def put(aws: Aws, **bodies: bytes) -> list[S3Object]:
    """Write objects under ``data/`` and list them."""
    for name, body in bodies.items():
        aws.s3.put_object(Bucket=aws.bucket, Key=f"data/{name}", Body=body)
    return list(list_objects(aws.s3, aws.bucket, "data/"))


def test_empty_and_hidden_objects_are_no_data(aws: Aws) -> None:
    assert [each.key for each in put(aws, a=b"x", _SUCCESS=b"x", empty=b"")] == ["data/a"]


def test_a_cached_object_is_read_once_and_again_only_when_it_changes(aws: Aws, tmp_path: Path) -> None:
    cache = ObjectCache(aws.s3, tmp_path)
    (one,) = put(aws, a=b"first")
    (path,) = cache.paths([(one, "day=1")])
    assert path.read_bytes() == b"first"
    assert path.parent.name == "day=1"
    path.write_bytes(b"kept")
    assert cache.paths([(one, "day=1")]) == [path]
    assert path.read_bytes() == b"kept"
    (changed,) = put(aws, a=b"second")
    (other,) = cache.paths([(changed, "day=1")])
    assert other.read_bytes() == b"second"
    assert not list(tmp_path.rglob("*.partial"))


def test_an_object_that_changed_since_it_was_listed_is_an_error(aws: Aws, tmp_path: Path) -> None:
    (one,) = put(aws, a=b"first")
    put(aws, a=b"second")
    with pytest.raises(QueryError, match="cannot be read"):
        ObjectCache(aws.s3, tmp_path).paths([(one, "")])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_prefix_is_deleted_whole_and_nothing_beside_it(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_DELETE_AT_ONCE", 3)
    for index in range(7):
        aws.s3.put_object(Bucket=aws.bucket, Key=f"scratch/a/{index}", Body=b"")
    aws.s3.put_object(Bucket=aws.bucket, Key="scratch/ab", Body=b"x")
    assert delete_prefix(aws.s3, aws.bucket, "scratch/a/") == 7
    assert aws.keys() == ["scratch/ab"]
    with pytest.raises(RequestError, match="ends in '/'"):
        delete_prefix(aws.s3, aws.bucket, "scratch/a")


def test_parquet_is_counted_and_described_by_its_footers(aws: Aws) -> None:
    table = pa.table({"a": list(range(50_000)), "b": ["x" * 20] * 50_000})
    for index in range(2):
        write_object(aws.s3, table, f"s3://{aws.bucket}/data/{index}.parquet")
    (first, _) = list_objects(aws.s3, aws.bucket, "data/")
    assert read_schema(aws.s3, first).equals(table.schema)
    assert count_rows(aws.s3, f"s3://{aws.bucket}/data/") == 100_000
    everything = read_prefix(aws.s3, f"s3://{aws.bucket}/data/")
    assert everything is not None
    assert everything.num_rows == 100_000
    assert read_prefix(aws.s3, f"s3://{aws.bucket}/none/") is None


def test_what_is_not_parquet_is_named(aws: Aws) -> None:
    (one,) = put(aws, a=b"not parquet at all")
    with pytest.raises(QueryError, match=r"data/a is not Parquet"):
        read_schema(aws.s3, one)


def test_an_s3_uri_has_a_bucket() -> None:
    assert split_uri("s3://bucket/a/b/") == ("bucket", "a/b/")
    for text in ("bucket/a", "s3:///a", "http://bucket/a"):
        with pytest.raises(RequestError, match="not an S3 URI"):
            split_uri(text)


def test_a_record_comes_back_as_it_was_saved(aws: Aws) -> None:
    dataset = SavedDataset(
        name="delays",
        location=f"s3://{aws.bucket}/sets/delays/",
        features=("legs@v1:delay",),
        as_of="served",
        known_as_of="2020-01-31T12:00:00Z",
        label="event_timestamp",
        rows=7,
        engine="athena",
        manifest="0" * 64,
        scanned_bytes=10,
        query_ids=("q",),
    )
    save_record(aws.s3, dataset)
    assert read_record(aws.s3, dataset.location.rstrip("/")) == dataset
    with pytest.raises(QueryError, match="no record of a training set"):
        read_record(aws.s3, f"s3://{aws.bucket}/sets/")
    aws.s3.put_object(Bucket=aws.bucket, Key=f"sets/delays/{RECORD}", Body=b'{"features": []}')
    with pytest.raises(ManifestError, match="not a record"):
        read_record(aws.s3, dataset.location)

"""The registry: what is published stays what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from asof.errors import ManifestError, PublishedVersionError
from asof.manifest import Manifest
from asof.names import MANIFEST_KEY, Environment
from asof.registry.publish import publish, read_manifest
from tests.support.manifests import ENTITY, a_passthrough_view, a_source, an_aggregation_view

ENVIRONMENT = Environment("dev", "123456789012", "eu-central-1")
VIEW = an_aggregation_view(data_fingerprint="meaning", metadata_fingerprint="words")
MANIFEST = Manifest((ENTITY,), (a_source(),), (VIEW,))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 with the registry bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="eu-central-1")
        client.create_bucket(
            Bucket=ENVIRONMENT.registry_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client


def objects(s3: Any) -> dict[str, bytes]:
    """Everything in the registry."""
    listed = s3.list_objects_v2(Bucket=ENVIRONMENT.registry_bucket).get("Contents", [])
    return {
        each["Key"]: s3.get_object(Bucket=ENVIRONMENT.registry_bucket, Key=each["Key"])["Body"].read()
        for each in listed
    }


def test_a_published_manifest_is_read_back_and_publishing_again_changes_nothing(s3: Any) -> None:
    """New versions are named once."""
    assert publish(s3, ENVIRONMENT, MANIFEST) == ["airport_departures@v1"]
    assert read_manifest(s3, ENVIRONMENT) == MANIFEST
    before = objects(s3)
    assert publish(s3, ENVIRONMENT, MANIFEST) == []
    assert objects(s3) == before


def test_changed_words_are_published_and_history_is_kept(s3: Any) -> None:
    """Words may change; the manifest before stays readable."""
    publish(s3, ENVIRONMENT, MANIFEST)
    before = objects(s3)
    worded = dataclasses.replace(VIEW, description="better", metadata_fingerprint="other words")
    assert publish(s3, ENVIRONMENT, dataclasses.replace(MANIFEST, feature_views=(worded,))) == []
    after = objects(s3)
    assert read_manifest(s3, ENVIRONMENT).feature_views[0].description == "better"
    assert before.items() - after.items() == {(MANIFEST_KEY, before[MANIFEST_KEY])}


def test_changed_meanings_are_refused_all_at_once_and_nothing_is_written(s3: Any) -> None:
    """Neither the changed views nor the new one beside them gets published."""
    other = a_passthrough_view(data_fingerprint="meaning")
    publish(s3, ENVIRONMENT, dataclasses.replace(MANIFEST, feature_views=(VIEW, other)))
    before = objects(s3)
    changed = tuple(dataclasses.replace(view, data_fingerprint="another") for view in (VIEW, other))
    new = dataclasses.replace(VIEW, version=2)
    with pytest.raises(PublishedVersionError) as caught:
        publish(s3, ENVIRONMENT, dataclasses.replace(MANIFEST, feature_views=(*changed, new)))
    assert caught.value.references == ("airport_departures@v1", "last_departure@v1")
    assert objects(s3) == before


def test_a_removed_version_cannot_come_back_with_another_meaning(s3: Any) -> None:
    """Removing a version from the definitions does not free its name."""
    publish(s3, ENVIRONMENT, MANIFEST)
    publish(s3, ENVIRONMENT, dataclasses.replace(MANIFEST, feature_views=()))
    changed = dataclasses.replace(VIEW, data_fingerprint="another")
    with pytest.raises(PublishedVersionError):
        publish(s3, ENVIRONMENT, dataclasses.replace(MANIFEST, feature_views=(changed,)))


def test_an_environment_without_definitions_says_what_to_run(s3: Any) -> None:
    """The error names the command."""
    with pytest.raises(ManifestError, match="asof apply --env dev"):
        read_manifest(s3, ENVIRONMENT)

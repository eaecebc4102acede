"""The registry: what is published stays what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from asof.clock import ManualClock
from asof.errors import ManifestError, PublishedVersionError, RetiredVersionError
from asof.local.faults import CrashPlan, Killed, crash_plans
from asof.manifest import FeatureReference, FeatureService, Manifest
from asof.names import MANIFEST_KEY, Environment
from asof.registry.publications import Publication, publications
from asof.registry.publish import archived_manifest, manifest_fingerprint, publish, read_manifest
from asof.registry.retired import mark_retired
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


def worded(text: str) -> Manifest:
    """The manifest with another description, which is another manifest of the same meaning."""
    return dataclasses.replace(MANIFEST, feature_views=(dataclasses.replace(VIEW, description=text),))


def test_publications_are_recorded_in_their_order_whatever_the_clocks_say(s3: Any) -> None:
    """A publisher whose clock lags comes after the one before it; a repeated publication is none."""
    for text, now_ms in (("a", 5_000), ("b", 9_000), ("b", 9_500), ("a", 7_000)):
        publish(s3, ENVIRONMENT, worded(text), clock=ManualClock(now_ms))
    a, b = (manifest_fingerprint(worded(text)) for text in "ab")
    found = publications(s3, ENVIRONMENT.registry_bucket)
    assert found == [Publication(5_000, a), Publication(9_000, b), Publication(9_001, a)]
    assert archived_manifest(s3, ENVIRONMENT, b) == worded("b")


@pytest.mark.parametrize("plan", list(crash_plans(4)), ids=lambda plan: f"{plan.when} {plan.kill_at}")
def test_a_publication_may_die_anywhere(s3: Any, plan: CrashPlan) -> None:
    """What is in force is always recorded as published; the repetition ends as if nothing had happened."""
    first = publish_twice(s3, worded("a"))
    new = dataclasses.replace(MANIFEST, feature_views=(VIEW, dataclasses.replace(VIEW, version=2)))
    victim: Any = boto3.client("s3", region_name="eu-central-1")
    plan.attach(victim)
    with pytest.raises(Killed):
        publish(victim, ENVIRONMENT, new, clock=ManualClock(2))
    in_force = manifest_fingerprint(read_manifest(s3, ENVIRONMENT))
    assert in_force in {each.fingerprint for each in publications(s3, ENVIRONMENT.registry_bucket)}
    publish(s3, ENVIRONMENT, new, clock=ManualClock(3))
    found = [each.fingerprint for each in publications(s3, ENVIRONMENT.registry_bucket)]
    assert found == [first, manifest_fingerprint(new)]
    assert read_manifest(s3, ENVIRONMENT) == new


def publish_twice(s3: Any, manifest: Manifest) -> str:
    """Publish a manifest, which a second time changes nothing; its fingerprint."""
    for now_ms in (0, 1):
        publish(s3, ENVIRONMENT, manifest, clock=ManualClock(now_ms))
    return manifest_fingerprint(manifest)


def test_a_retired_version_stays_out_of_service(s3: Any) -> None:
    """Neither in force nor deprecated with readers; deprecated and unread it may stay in the definitions."""
    publish(s3, ENVIRONMENT, MANIFEST)
    assert mark_retired(s3, ENVIRONMENT.registry_bucket, "airport_departures@v1", 5)
    assert not mark_retired(s3, ENVIRONMENT.registry_bucket, "airport_departures@v1", 6)
    deprecated = dataclasses.replace(MANIFEST, feature_views=(dataclasses.replace(VIEW, deprecated=True),))
    pin = FeatureReference(VIEW.name, 1, "count_1h")
    read = dataclasses.replace(deprecated, feature_services=(FeatureService("model", 1, (pin,)),))
    before = objects(s3)
    for refused in (MANIFEST, read):
        with pytest.raises(RetiredVersionError) as caught:
            publish(s3, ENVIRONMENT, refused)
        assert caught.value.references == ("airport_departures@v1",)
    assert objects(s3) == before
    assert publish(s3, ENVIRONMENT, deprecated) == []

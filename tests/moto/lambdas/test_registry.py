"""The registry's custom resource: publishes, refuses, goes back, and always answers CloudFormation."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest

from asof.local import LocalCloud
from asof.manifest import Manifest
from asof.registry.publish import read_manifest
from lambdas.registry import handler
from tests.support.manifests import a_source, an_aggregation_view
from tests.support.world import a_manifest

EVENT = json.loads((Path(__file__).parents[2] / "events" / "cloudformation_create.json").read_text())

Deploy = Callable[..., dict[str, Any]]


def of(**changes: Any) -> Manifest:
    """A manifest of one view whose meaning, as its fingerprint says, follows from its name, version and features."""
    view = an_aggregation_view(**changes)
    meaning = hashlib.sha256(repr((view.name, view.version, view.features)).encode()).hexdigest()
    return a_manifest([dataclasses.replace(view, data_fingerprint=meaning)], a_source())


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as running, patch.object(boto3, "DEFAULT_SESSION", running.session()):
        running.provision(running.environment("test"))
        yield running


@pytest.fixture
def deploy(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Sends an event to the function that was deployed with a manifest; what CloudFormation is answered."""
    answers: list[dict[str, Any]] = []

    def urlopen(request: Any, timeout: int) -> io.BytesIO:
        assert (request.method, request.full_url, timeout) == ("PUT", EVENT["ResponseURL"], 30)
        answers.append(json.loads(request.data))
        return io.BytesIO()

    for name, value in (("ENV", "test"), ("ACCOUNT", cloud.account), ("REGION", cloud.region)):
        monkeypatch.setenv(f"ASOF_{name}", value)
    monkeypatch.setattr("urllib.request.urlopen", urlopen)

    def send(bundled: Manifest, wanted: Manifest | None = None, action: str = "publish", **changes: Any) -> Any:
        digest = hashlib.sha256((wanted or bundled).to_json().encode()).hexdigest()
        event = {**EVENT, **changes, "ResourceProperties": {"Action": action, "Fingerprint": digest}}
        with patch.object(handler, "_bundled", lambda: bundled):
            handler.handle(event, None)
        return answers.pop()

    return send


def in_force(cloud: LocalCloud) -> Manifest:
    """What readers of the registry find."""
    return read_manifest(cloud.session().client("s3"), cloud.environment("test"))


def test_it_publishes_and_says_what_is_new(cloud: LocalCloud, deploy: Deploy) -> None:
    """The answer names the request, so that CloudFormation can match it."""
    answer = deploy(of())
    assert answer == {
        "Status": "SUCCESS",
        "Data": {"New": "airport_departures@v1"},
        "PhysicalResourceId": "DefinitionsResource0F1E2D3C-definitions",
        **{name: EVENT[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    assert in_force(cloud) == of()
    again = deploy(of(), RequestType="Update", PhysicalResourceId=answer["PhysicalResourceId"])
    assert (again["Status"], again["Data"]["New"]) == ("SUCCESS", "")


def test_a_changed_meaning_fails_the_deployment_and_changes_nothing(cloud: LocalCloud, deploy: Deploy) -> None:
    """The reason is what people see in CloudFormation's events."""
    deploy(of())
    changed = of(features=an_aggregation_view().features[:1], aggregations=an_aggregation_view().aggregations[:1])
    for action in ("check", "publish"):
        answer = deploy(changed, action=action)
        assert answer["Status"] == "FAILED"
        assert "PublishedVersionError: the meaning of airport_departures@v1 has changed" in answer["Reason"]
        assert in_force(cloud) == of()


def test_a_check_publishes_nothing(cloud: LocalCloud, deploy: Deploy) -> None:
    deploy(of())
    assert deploy(of(version=2), action="check")["Data"]["New"] == "airport_departures@v2"
    assert in_force(cloud) == of()


def test_a_rollback_puts_the_earlier_manifest_back(cloud: LocalCloud, deploy: Deploy) -> None:
    """Whichever code CloudFormation finds when it rolls back, the resource gets what it asks for."""
    deploy(of())
    deploy(of(version=2))
    assert deploy(of(version=2), wanted=of(), RequestType="Update")["Status"] == "SUCCESS"
    assert in_force(cloud) == of()


def test_a_rollback_of_a_refused_change_is_not_refused(deploy: Deploy) -> None:
    """The guard's code is still the refused one when CloudFormation goes back to what was checked before."""
    deploy(of())
    changed = of(features=an_aggregation_view().features[:1], aggregations=an_aggregation_view().aggregations[:1])
    assert deploy(changed, action="check")["Status"] == "FAILED"
    assert deploy(changed, wanted=of(), action="check", RequestType="Update")["Status"] == "SUCCESS"


def test_history_tables_are_made_and_taken_over(cloud: LocalCloud, deploy: Deploy) -> None:
    """A table that is there already, as that of a view that comes back is, keeps its partitions."""
    glue, database = cloud.session().client("glue"), cloud.environment("test").database
    answer = deploy(of(), action="tables")
    assert (answer["Status"], answer["Data"]["New"]) == ("SUCCESS", "airport_departures_v1")
    table = glue.get_table(DatabaseName=database, Name="airport_departures_v1")["Table"]
    partition: Any = {"Values": ["2026-01-01", "run"], "StorageDescriptor": table["StorageDescriptor"]}
    glue.create_partition(DatabaseName=database, TableName="airport_departures_v1", PartitionInput=partition)
    answer = deploy(of(version=2), action="tables", RequestType="Update")
    assert answer["Data"]["New"] == "airport_departures_v2"
    answer = deploy(of(), action="tables", RequestType="Update")
    assert (answer["Status"], answer["Data"]["New"]) == ("SUCCESS", "")
    kept = glue.get_partitions(DatabaseName=database, TableName="airport_departures_v1")["Partitions"]
    assert [each["Values"] for each in kept] == [["2026-01-01", "run"]]
    assert deploy(of(), action="tables", RequestType="Delete")["Status"] == "SUCCESS"
    assert len(glue.get_tables(DatabaseName=database)["TableList"]) == 2


def test_a_rollback_leaves_history_tables_alone(cloud: LocalCloud, deploy: Deploy) -> None:
    """Those of before are there, and those of after hold nothing anybody reads."""
    deploy(of(), action="tables")
    answer = deploy(of(version=2), wanted=of(), action="tables", RequestType="Update")
    assert (answer["Status"], answer["Data"]["New"]) == ("SUCCESS", "")
    names = [
        each["Name"]
        for each in cloud.session()
        .client("glue")
        .get_tables(DatabaseName=cloud.environment("test").database)["TableList"]
    ]
    assert names == ["airport_departures_v1"]


def test_what_was_never_published_cannot_be_put_back(deploy: Deploy) -> None:
    answer = deploy(of(), wanted=of(version=9))
    assert answer["Status"] == "FAILED"
    assert "was never published" in answer["Reason"]


def test_a_deleted_stack_leaves_what_is_published(cloud: LocalCloud, deploy: Deploy) -> None:
    deploy(of())
    assert deploy(of(), RequestType="Delete")["Status"] == "SUCCESS"
    assert in_force(cloud) == of()


def test_it_answers_whatever_happens(deploy: Deploy) -> None:
    """A defect, too: without an answer CloudFormation waits for an hour."""
    with patch.object(handler, "publish", side_effect=ZeroDivisionError("made up")):
        answer = deploy(of())
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "ZeroDivisionError: made up")

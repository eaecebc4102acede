"""The templates as a whole: the same bytes each time, room for a hundred views, nothing that holds state is deleted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asof.errors import RequestError
from asof.manifest import Manifest
from asof.names import staging_table
from infra.environments import ENVIRONMENTS
from tests.support.manifests import ENTITY, a_source, an_aggregation_view
from tests.support.synth import definitions, dev_templates, many_views, resources, templates

MOST_RESOURCES = 500
STATEFUL = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Glue::Database")


def files(folder: Path) -> dict[str, bytes]:
    """Everything under a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_synthesizing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Templates, assets and the assembly's own files."""
    for name in ("one", "two"):
        templates(definitions(), outdir=tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(files(tmp_path / "one")) > 100


def test_a_hundred_views_fit(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudFormation takes 500 resources per stack; the counts are printed."""
    small = {name: len(each["Resources"]) for name, each in templates(many_views(1)).items()}
    counts = {name: len(each["Resources"]) for name, each in templates(many_views(100)).items()}
    with capsys.disabled():
        for name, count in counts.items():
            print(f"\n{name}: {count} resources for 100 views ({small[name]} for 1)", end="")
    assert all(count < MOST_RESOURCES for count in counts.values())
    assert {name: (counts[name] - small[name]) / 99 for name in counts} == {
        "asof-dev-storage": 1,  # staging table; the history table is made by the custom resource
        "asof-dev-service": 2,  # schedule and alarm
    }


def test_nothing_looks_anything_up() -> None:
    """Without an account and region the templates hold CloudFormation's own references instead."""
    for name, template in templates(many_views(1), variables={}).items():
        assert "AWS::AccountId" in str(template), name
        assert not re.search(r"\b\d{12}\b", str(template)), name


@pytest.mark.parametrize("environment", [each.name for each in ENVIRONMENTS])
def test_what_holds_data_stays(environment: str) -> None:
    """Buckets, tables and the database outlive their stack, in every environment; a history is not in it."""
    storage = templates(many_views(2), {"env": environment})[f"asof-{environment}-storage"]
    kept = [each for kind in STATEFUL for each in resources(storage, kind).values()]
    tables = {
        each["Properties"]["TableInput"]["Name"]: each for each in resources(storage, "AWS::Glue::Table").values()
    }
    assert set(tables) == {staging_table("view_000", 1), staging_table("view_001", 1)}
    assert len(kept) == 3 + 2 + 1
    assert {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in kept} == {("Retain", "Retain")}
    assert all(
        each["Properties"]["DeletionProtectionEnabled"] for each in resources(storage, "AWS::DynamoDB::Table").values()
    )


def test_two_keys_make_an_environment_removable() -> None:
    """An unprotected environment, and its name on the command line."""
    storage = templates(many_views(1), {"destroy": "dev"})["asof-dev-storage"]
    kept = [each for kind in STATEFUL for each in resources(storage, kind).values()]
    assert {each["DeletionPolicy"] for each in kept} == {"Delete"}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"env": "prod", "destroy": "prod"}, "is protected"),
        ({"env": "dev", "destroy": "prod"}, "is not 'prod'"),
        ({"env": "qa"}, "there is no environment 'qa'"),
        ({"connection": "arn:aws:codeconnections:x"}, "repository="),
    ],
)
def test_a_wrong_context_is_refused(context: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        templates(many_views(1), context)


def test_a_view_whose_sql_no_state_can_carry_is_refused() -> None:
    view = an_aggregation_view(queries={"compute": "x" * 200_001})
    with pytest.raises(RequestError, match=r"airport_departures@v1 \(compute: 200,001 bytes\)"):
        templates(Manifest(entities=(ENTITY,), sources=(a_source(),), feature_views=(view,)))


def test_data_is_encrypted_and_never_public() -> None:
    """Every bucket: encrypted, TLS only, public access blocked; every table: point-in-time recovery."""
    storage = dev_templates()["asof-dev-storage"]
    for bucket in resources(storage, "AWS::S3::Bucket").values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert "BucketEncryption" in bucket["Properties"]
    policies = resources(storage, "AWS::S3::BucketPolicy")
    assert len(policies) == 3
    assert all("aws:SecureTransport" in str(each) for each in policies.values())
    tables = {each["Properties"]["TableName"]: each for each in resources(storage, "AWS::DynamoDB::Table").values()}
    for table in tables.values():
        assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = {name: each["Properties"].get("TimeToLiveSpecification") for name, each in tables.items()}
    assert expiry == {
        "asof-dev-online": {"AttributeName": "x", "Enabled": True},
        "asof-dev-control": None,
    }


def test_no_table_is_touched_before_the_definitions_are_checked() -> None:
    """A refused change of meaning leaves the catalog as it was."""
    storage = dev_templates()["asof-dev-storage"]
    (check,) = resources(storage, "Custom::AsofDefinitions")
    for kind in ("AWS::Glue::Table", "Custom::AsofHistoryTables"):
        for name, table in resources(storage, kind).items():
            assert check in table["DependsOn"], name

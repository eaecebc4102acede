"""cdk-nag's rules over every stack: no finding without a reason, beside the code or in the table below."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.synth import KNOWN_PLACE, an_app, definitions

EXPLAINED = {
    (r"asof-pipeline/.*", r"IAM5\[(Action::s3:.*|Resource::<Artifacts.*)\]"): "the CDK's grants on the artifact bucket",
    (r"asof-pipeline/.*", r"IAM5\[Resource::.*log-group:/aws/codebuild/.*\]"): "the CDK's grant on a project's own log",
    (r"asof-(pipeline|github)/plan/.*", r"IAM5\[Resource::.*asof-\w+-registry-.*\]"): "every published manifest",
    (r"asof-(pipeline|github)/plan/.*", r"IAM5\[Resource::arn:.*:glue:.*\]"): "descriptions of sources yet to come",
}
"""Findings in policies that the CDK writes: where, which, and why they are fine."""


def findings(outdir: Path, place: dict[str, str]) -> list[tuple[str, str]]:
    """Construct path and rule of every finding that is not acknowledged beside the code."""
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks

    from infra.app import add_delivery, add_environment

    connection = "arn:aws:codeconnections:eu-central-1:123456789012:connection/x"
    app = an_app(outdir, env="prod", connection=connection, repository="me/store", github="me/store")
    add_environment(app, definitions(), place)
    add_delivery(app, definitions())
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()  # for what EXPLAINED explains
    report = json.loads((outdir / "validation-report.json").read_text())
    return [
        (construct["constructPath"], violation["ruleName"].removeprefix("AwsSolutions-"))
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


@pytest.mark.parametrize("place", [KNOWN_PLACE, {}], ids=["known place", "any place"])
def test_no_finding_is_unexplained(tmp_path: Path, place: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    """AWS Solutions rules; and no explanation is left over."""
    found = findings(tmp_path, place)
    capfd.readouterr()  # the report in words
    explained = {
        each: [key for key in EXPLAINED if re.fullmatch(key[0], each[0]) and re.fullmatch(key[1], each[1])]
        for each in found
    }
    assert [each for each, keys in explained.items() if not keys] == []
    assert {key for keys in explained.values() for key in keys} == set(EXPLAINED)

"""The CDK's unmodified command line bootstraps, deploys, updates, rolls back and destroys."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asof.local.server import LocalServer
from tests.support.stacks import function, role

ROOT = Path(__file__).parents[3]
PLACE = "${AWS::AccountId}-${AWS::Region}"
ANSWER = """
import json, pathlib, urllib.request
def handle(event, context):
    said = pathlib.Path(__file__).with_name("said.txt").read_text()
    if "ResponseURL" not in event:
        return said
    body = {"Status": "FAILED" if event["ResourceProperties"]["Value"] == "bad" else "SUCCESS", "Reason": "refused",
            "PhysicalResourceId": "one", **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}}
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT"))
"""


def assembly(folder: Path, said: str, value: str) -> Path:
    """A cloud assembly of one stack with one asset, as ``cdk synth`` writes it."""
    folder.mkdir(exist_ok=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    asset = folder / f"asset.{digest}"
    asset.mkdir(exist_ok=True)
    (asset / "index.py").write_text(ANSWER, encoding="utf-8")
    (asset / "said.txt").write_text(said, encoding="utf-8")
    bucket = f"cdk-hnb659fds-assets-{PLACE}"
    publish = f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/cdk-hnb659fds-file-publishing-role-{PLACE}"
    deployed = function("small", "")
    deployed["Properties"]["Code"] = {"S3Bucket": {"Fn::Sub": bucket}, "S3Key": f"{digest}.zip"}
    it = {"Type": "Custom::It", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}, "Value": value}}
    template = {"Resources": {"Role": role(), "F": deployed, "It": it}, "Outputs": {"Name": {"Value": {"Ref": "F"}}}}
    write(folder / "small.template.json", template)
    template_digest = hashlib.sha256((folder / "small.template.json").read_bytes()).hexdigest()

    def file(path: str, packaging: str, key: str) -> dict[str, Any]:
        place = {"bucketName": bucket, "objectKey": key, "assumeRoleArn": publish}
        return {"source": {"path": path, "packaging": packaging}, "destinations": {"current": place}}

    files = {
        digest: file(asset.name, "zip", f"{digest}.zip"),
        template_digest: file("small.template.json", "file", f"{template_digest}.json"),
    }
    write(folder / "small.assets.json", {"version": "36.0.0", "files": files, "dockerImages": {}})
    roles = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-hnb659fds-"
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {
            "templateFile": "small.template.json",
            "assumeRoleArn": f"{roles}deploy-role-{PLACE}",
            "cloudFormationExecutionRoleArn": f"{roles}cfn-exec-role-{PLACE}",
            "stackTemplateAssetObjectUrl": f"s3://{bucket}/{template_digest}.json",
            "requiresBootstrapStackVersion": 6,
            "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
        },
        "dependencies": ["small.assets"],
    }
    assets = {"type": "cdk:asset-manifest", "properties": {"file": "small.assets.json"}}
    write(folder / "manifest.json", {"version": "36.0.0", "artifacts": {"small.assets": assets, "small": stack}})
    return folder


def write(path: Path, content: Any) -> None:
    """Write JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def cdk(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[int, str]]:
    """Runs the command line; gives its exit code and output."""
    command = shutil.which("cdk", path=f"{ROOT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}")
    if command is None:
        pytest.skip("the CDK's command line is not installed (npm ci)")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    quiet = {"NODE_NO_WARNINGS": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}
    # A home of its own: the command line remembers which account belongs to which credentials.
    home = {"HOME": str(tmp_path_factory.mktemp("home"))}
    environment = {**kept, **server.client_environment(), **quiet, **home}

    def run(*arguments: str) -> tuple[int, str]:
        words = [command, *arguments, "--ci", "--no-notices", "--no-version-reporting"]
        folder = tmp_path_factory.mktemp("cdk")
        done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_whole_life(cdk: Callable[..., tuple[int, str]], client: Callable[[str], Any], tmp_path: Path) -> None:
    """Bootstrap, create, nothing to do, update, a refusal that rolls back, destroy."""
    code, told = cdk("bootstrap", "aws://123456789012/eu-central-1")
    assert code == 0, told

    def deploy(said: str, value: str) -> tuple[int, str]:
        return cdk(
            "deploy", "--app", str(assembly(tmp_path / f"{said}-{value}", said, value)), "--require-approval=never"
        )

    def says() -> Any:
        return json.loads(client("lambda").invoke(FunctionName="small", Payload=b"{}")["Payload"].read())

    code, told = deploy("one", "good")
    assert code == 0, told
    assert "small.Name = small" in told
    assert says() == "one"
    code, told = deploy("one", "good")
    assert (code, "no changes" in told) == (0, True)
    assert deploy("two", "fine")[0] == 0
    assert says() == "two"
    code, told = deploy("three", "bad")
    assert (code, "refused" in told) == (1, True), told
    assert says() == "two"
    stack = client("cloudformation").describe_stacks(StackName="small")["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    code, told = cdk("destroy", "--app", str(tmp_path / "two-fine"), "--force", "small")
    assert code == 0, told
    assert client("lambda").list_functions()["Functions"] == []

"""What one does with a deployment from outside: run the CDK, start a state machine, ask the HTTP API, see an alarm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from asof.errors import LocalCloudError
from asof.names import Environment

ROOT: Final = Path(__file__).parents[2]
_RUN_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 30.0
_SHOWN_CHARACTERS: Final = 4_000


class Deployment:
    """A deployed environment, seen by AWS's own clients. ``folder`` is for what the CDK writes."""

    def __init__(self, environment: Environment, session: boto3.Session, folder: Path) -> None:
        self.environment = environment
        self._session = session
        self._folder = folder
        self._url: str | None = None

    def client(self, service: str) -> Any:
        """A client of boto3's; of Any type, since its stubs know only the services that are installed for them."""
        make: Any = self._session.client
        return make(service, region_name=self.environment.region)

    def cdk(self, *arguments: str) -> None:
        """Run the CDK's command line as it is; raises LocalCloudError with what it said where it fails."""
        command = ROOT / "node_modules" / ".bin" / "cdk"
        if not command.exists():
            raise LocalCloudError(f"the CDK's command line is not in {command.parent}; install it with: npm ci")
        environment = {
            **os.environ,
            # cdk.json says "python app.py", and node comes with this Python's environment.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            # A home of its own: the command line remembers which account belongs to which credentials.
            "HOME": str(self._folder),
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            "NODE_NO_WARNINGS": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }
        words = [str(command), *arguments, "--output", str(self._folder / "cdk.out"), "--ci", "--no-notices"]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            told = (done.stdout + done.stderr)[-_SHOWN_CHARACTERS:]
            raise LocalCloudError(f"cdk {arguments[0]} ended with exit code {done.returncode}:\n{told}")

    def resources(self) -> dict[str, int]:
        """How many resources each of the environment's stacks has."""
        client = self.client("cloudformation")
        stacks = [stack["StackName"] for stack in client.describe_stacks()["Stacks"]]
        ours = sorted(name for name in stacks if name.startswith(self.environment.named("")))
        return {name: len(client.describe_stack_resources(StackName=name)["StackResources"]) for name in ours}

    def run_machine(self, name: str, given: Mapping[str, Any]) -> str:
        """Start a state machine and wait for its end; the execution's ARN. Raises LocalCloudError where it fails."""
        client, where = self.client("stepfunctions"), self.environment
        machine = f"arn:aws:states:{where.region}:{where.account}:stateMachine:{where.named(name)}"
        arn = str(client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])
        deadline = time.monotonic() + _RUN_SECONDS
        while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise LocalCloudError(f"{arn} is still at work after {_RUN_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
        if found["status"] != "SUCCEEDED":
            raise LocalCloudError(f"{arn} is {found['status']}: {found.get('error')}: {found.get('cause')}")
        return arn

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the HTTP API, signed with the credentials in force, as its IAM authorization wants it."""
        request = AWSRequest(
            "POST", self._api() + path, data=json.dumps(body), headers={"content-type": "application/json"}
        )
        SigV4Auth(self._session.get_credentials(), "execute-api", self.environment.region).add_auth(request)
        sent = urllib.request.Request(request.url, request.data, dict(request.headers), method="POST")
        # The local cloud is on this machine: no proxy knows it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(sent, timeout=_ANSWER_SECONDS) as answer:
                read: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise LocalCloudError(f"{path} answered {error.code}: {error.read().decode(errors='replace')}") from error
        return read

    def alarm(self, name: str) -> str:
        """The state of an alarm: OK, ALARM or INSUFFICIENT_DATA."""
        found = self.client("cloudwatch").describe_alarms(AlarmNames=[self.environment.named(name)])["MetricAlarms"]
        return str(found[0]["StateValue"])

    def _api(self) -> str:
        if self._url is None:
            stack = self.client("cloudformation").describe_stacks(StackName=self.environment.named("service"))
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Stacks"][0]["Outputs"]}
            self._url = outputs["ApiUrl"]
        return self._url

"""What one does with a deployment from outside: run the CDK, start a state machine, ask the HTTP API, see an alarm."""

from __future__ import annotations

import json
import os
import signal
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
    """A deployed environment, seen by AWS's own clients. ``folder`` is for what the CDK writes.

    ``definitions`` is the folder of definitions to deploy; the repository's own if not given.
    """

    def __init__(
        self, environment: Environment, session: boto3.Session, folder: Path, definitions: Path | None = None
    ) -> None:
        self.environment = environment
        self._session = session
        self._folder = folder
        self._definitions = definitions or ROOT / "feature_defs"
        self._url: str | None = None

    def client(self, service: str) -> Any:
        """A client of boto3's; of Any type, since its stubs know only the services that are installed for them."""
        make: Any = self._session.client
        return make(service, region_name=self.environment.region)

    def bootstrap(self) -> str:
        """Prepare the account for the CDK, as one does once; the account's address."""
        account = f"aws://{self.environment.account}/{self.environment.region}"
        # Not where the app is: the command would build it first, for nothing.
        self._cdk(self._folder, "bootstrap", account)
        return account

    def deploy(self) -> None:
        """Deploy all stacks of the environment."""
        output = str(self._folder / "cdk.out")
        context = ("-c", f"env={self.environment.name}", "-c", f"definitions={self._definitions}")
        self._cdk(ROOT, "deploy", "--all", *context, "--require-approval", "never", "--output", output)

    def _cdk(self, where: Path, *arguments: str) -> None:
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
        words = [str(command), *arguments, "--ci", "--no-notices"]
        # A session of its own, so that what the command starts can be ended together with it.
        process = subprocess.Popen(  # noqa: S603 # the project's own command line
            words, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            told, _ = process.communicate()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            shown = told[-_SHOWN_CHARACTERS:]
            raise LocalCloudError(f"cdk {arguments[0]} ended with exit code {process.returncode}:\n{shown}")

    def resources(self) -> dict[str, int]:
        """How many resources each of the environment's stacks has."""
        client = self.client("cloudformation")
        stacks = [stack["StackName"] for stack in client.describe_stacks()["Stacks"]]
        ours = sorted(name for name in stacks if name.startswith(self.environment.named("")))
        return {name: len(client.describe_stack_resources(StackName=name)["StackResources"]) for name in ours}

    def run_machine(self, name: str, given: Mapping[str, Any]) -> None:
        """Start a state machine and wait for its end; raises LocalCloudError where it fails."""
        client = self.client("stepfunctions")
        arn = client.start_execution(stateMachineArn=self._machine(name), input=json.dumps(given))["executionArn"]
        deadline = time.monotonic() + _RUN_SECONDS
        while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise LocalCloudError(f"{arn} is still at work after {_RUN_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
        if found["status"] != "SUCCEEDED":
            raise LocalCloudError(f"{arn} is {found['status']}: {found.get('error')}: {found.get('cause')}")

    def executions(self, name: str) -> list[str]:
        """The status of each execution of a state machine, the newest first."""
        pages = (
            self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=self._machine(name))
        )
        return [str(each["status"]) for page in pages for each in page["executions"]]

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the HTTP API, signed with the credentials in force, as its IAM authorization wants it."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise LocalCloudError("no AWS credentials are set; the local cloud's client_environment() has some")
        url, data, headers = self._api() + path, json.dumps(body).encode(), {"content-type": "application/json"}
        signed = AWSRequest("POST", url, data=data, headers=headers)
        SigV4Auth(credentials, "execute-api", self.environment.region).add_auth(signed)
        sent = urllib.request.Request(url, data, dict(signed.headers), method="POST")  # noqa: S310 # the API's address
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

    def _machine(self, name: str) -> str:
        where = self.environment
        return f"arn:aws:states:{where.region}:{where.account}:stateMachine:{where.named(name)}"

    def _api(self) -> str:
        if self._url is None:
            stack = self.client("cloudformation").describe_stacks(StackName=self.environment.named("service"))
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Stacks"][0]["Outputs"]}
            self._url = outputs["ApiUrl"]
        return self._url

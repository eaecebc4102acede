"""What one does with a deployment from outside: run the CDK, start a state machine, ask the HTTP API, see an alarm."""

from __future__ import annotations

import json
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
from examples.flights import cdk
from examples.flights.cdk import ROOT, Watcher, unwatched

_RUN_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 30.0


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

    def bootstrap(self, watch: Watcher = unwatched) -> str:
        """Prepare the account for the CDK, as one does once; the account's address."""
        account = f"aws://{self.environment.account}/{self.environment.region}"
        # Not where the app is: the command would build it first, for nothing.
        cdk.run(self._folder, self._folder, "bootstrap", account, watch=watch)
        return account

    def deploy(self, watch: Watcher = unwatched) -> None:
        """Deploy all stacks of the environment."""
        output = str(self._folder / "cdk.out")
        context = ("-c", f"env={self.environment.name}", "-c", f"definitions={self._definitions}")
        words = ("deploy", "--all", *context, "--require-approval", "never", "--output", output)
        watch("building the app", None, None)
        cdk.run(ROOT, self._folder, *words, watch=watch)

    def resources(self) -> dict[str, int]:
        """How many resources each of the environment's stacks has."""
        client = self.client("cloudformation")
        stacks = [stack["StackName"] for stack in client.describe_stacks()["Stacks"]]
        ours = sorted(name for name in stacks if name.startswith(self.environment.named("")))
        return {name: len(client.describe_stack_resources(StackName=name)["StackResources"]) for name in ours}

    def run_machine(self, name: str, given: Mapping[str, Any], watch: Watcher = unwatched) -> None:
        """Start a state machine and wait for its end; raises LocalCloudError where it fails.

        Watched are the runs of ``materialize`` that are at work meanwhile, and the state each of them is in.
        """
        client = self.client("stepfunctions")
        arn = client.start_execution(stateMachineArn=self._machine(name), input=json.dumps(given))["executionArn"]
        deadline = time.monotonic() + _RUN_SECONDS
        while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise LocalCloudError(f"{arn} is still at work after {_RUN_SECONDS:g} s")
            if watch is not unwatched:
                watch(", ".join(self._at_work()), None, None)
            time.sleep(_LOOK_SECONDS)
        if found["status"] != "SUCCEEDED":
            raise LocalCloudError(f"{arn} is {found['status']}: {found.get('error')}: {found.get('cause')}")

    def _at_work(self) -> list[str]:
        """The runs at work and the state each is in: ``airport_weather: Query``."""
        client, machine = self.client("stepfunctions"), self._machine("materialize")
        shown = []
        for each in client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
            arn = each["executionArn"]
            events = client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=50)["events"]
            entered = [
                each["stateEnteredEventDetails"]["name"] for each in events if "stateEnteredEventDetails" in each
            ]
            view = json.loads(client.describe_execution(executionArn=arn)["input"])["view"]
            shown.append(f"{view}: {entered[0] if entered else 'begins'}")
        return sorted(shown)

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
        url, data, headers = self.url() + path, json.dumps(body).encode(), {"content-type": "application/json"}
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

    def url(self) -> str:
        """The HTTP API's address, as the stack's output has it."""
        if self._url is None:
            stack = self.client("cloudformation").describe_stacks(StackName=self.environment.named("service"))
            outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Stacks"][0]["Outputs"]}
            self._url = outputs["ApiUrl"]
        return self._url

    def _machine(self, name: str) -> str:
        where = self.environment
        return f"arn:aws:states:{where.region}:{where.account}:stateMachine:{where.named(name)}"

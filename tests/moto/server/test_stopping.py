"""Executions that are stopped at a state by a fault, and what a redrive repeats: as on AWS, not more and not less."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asof.local.server import LocalServer
from tests.support.stacks import deployed, machine, role, template

FIRST_TWO = {
    "First": {"Type": "Pass", "Result": "first", "Next": "Second"},
    "Second": {"Type": "Pass", "Result": "second", "End": True},
}
ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:{}"


@pytest.fixture(autouse=True)
def no_faults(server: LocalServer) -> Iterator[None]:
    """Faults are forgotten after each test."""
    yield
    server.faults.clear()


def started(client: Callable[[str], Any], name: str, states: dict[str, Any]) -> str:
    """Deploy a definition and start it; the execution's ARN."""
    definition = {"StartAt": next(iter(states)), "States": states}
    deployed(client("cloudformation"), name, template({"Role": role(), "M": machine(name, definition)}))
    return str(client("stepfunctions").start_execution(stateMachineArn=ARN.format(name), input="{}")["executionArn"])


def ended(client: Callable[[str], Any], arn: str) -> dict[str, Any]:
    """The execution's description when it runs no more."""
    for _ in range(600):
        found: dict[str, Any] = client("stepfunctions").describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


def entered(client: Callable[[str], Any], arn: str) -> list[str]:
    """The states of an execution's history, in order, as often as each was entered."""
    events = client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    return [each["stateEnteredEventDetails"]["name"] for each in events if "stateEnteredEventDetails" in each]


@pytest.mark.parametrize(
    ("when", "before", "after"),
    [
        ("before", ["First"], ["First", "First", "Second"]),
        ("after", ["First"], ["First", "Second"]),
    ],
)
def test_stopped_at_a_state(
    server: LocalServer, client: Callable[[str], Any], when: Any, before: list[str], after: list[str]
) -> None:
    """Where it was entered a redrive enters it again; where it was left, the next one."""
    server.faults.stop_execution("First", when=when)
    arn = started(client, f"stop-{when}", FIRST_TWO)
    stopped = ended(client, arn)
    assert (stopped["status"], stopped["cause"]) == ("ABORTED", f"injected by the local cloud, {when} First")
    assert entered(client, arn) == before
    client("stepfunctions").redrive_execution(executionArn=arn)
    assert ended(client, arn)["status"] == "SUCCEEDED"
    assert entered(client, arn) == after


def test_a_fail_state_is_entered_again_and_fails_again(client: Callable[[str], Any]) -> None:
    """Also where an error was caught before it; https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html."""
    states = {
        "Try": {"Type": "Pass", "Next": "No"},
        "No": {"Type": "Fail", "Error": "No", "Cause": "never"},
    }
    arn = started(client, "never", states)
    assert ended(client, arn)["status"] == "FAILED"
    client("stepfunctions").redrive_execution(executionArn=arn)
    found = ended(client, arn)
    assert (found["status"], found["error"], found["redriveCount"]) == ("FAILED", "No", 1)
    assert entered(client, arn) == ["Try", "No", "No"]


def test_states_know_how_often_they_were_redriven(server: LocalServer, client: Callable[[str], Any]) -> None:
    """By the context object, as it is when they are entered."""
    told = {"Type": "Pass", "Parameters": {"redrives.$": "$$.Execution.RedriveCount"}}
    states = {
        "First": {**told, "ResultPath": "$.first", "Next": "Second"},
        "Second": {**told, "ResultPath": "$.second", "End": True},
    }
    server.faults.stop_execution("Second")
    arn = started(client, "counted", states)
    ended(client, arn)
    client("stepfunctions").redrive_execution(executionArn=arn)
    output = json.loads(ended(client, arn)["output"])
    assert output == {"first": {"redrives": 0}, "second": {"redrives": 1}}


def test_an_execution_that_is_waited_for_is_stopped_with_the_one_that_waits(client: Callable[[str], Any]) -> None:
    """A task of the kind ``.sync`` takes what it started along."""
    inner = {"Wait": {"Type": "Wait", "Seconds": 86_400, "End": True}}
    deployed(
        client("cloudformation"),
        "inner-wait",
        template({"Role": role(), "M": machine("inner-wait", {"StartAt": "Wait", "States": inner})}),
    )
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": ARN.format("inner-wait"), "Input": {}},
        "End": True,
    }
    arn = started(client, "outer-wait", {"Call": call})
    inner_arn = only_execution(client, "inner-wait")
    client("stepfunctions").stop_execution(executionArn=arn)
    assert ended(client, inner_arn)["status"] == "ABORTED"


def only_execution(client: Callable[[str], Any], name: str) -> str:
    """The ARN of the one execution of a state machine, when it has begun."""
    while True:
        found = client("stepfunctions").list_executions(stateMachineArn=ARN.format(name))["executions"]
        if found:
            return str(found[0]["executionArn"])
        time.sleep(0.02)

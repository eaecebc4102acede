"""The state machines as data: nothing dangles, nothing fails silently, and permissions are the table's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from asof import errors
from asof.manifest import Manifest
from asof.names import Environment
from infra.permissions import FUNCTIONS, Grant, backfill_machine, materialize_machine
from infra.places import Places
from infra.state_machine import LASTING, backfill_definition, materialize_definition
from tests.support.manifests import a_source
from tests.support.synth import ACCOUNT, REGION, definitions, dev_templates, resources

PLACES = Places(Environment("dev", ACCOUNT, REGION), "aws", definitions())
MACHINES = {"materialize": materialize_definition(PLACES), "backfill": backfill_definition(PLACES)}


def scopes(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A definition and those nested in its maps."""
    yield definition
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            yield from scopes(state["ItemProcessor"])


def followers(state: dict[str, Any]) -> set[str]:
    """Where a state can lead."""
    choices = [choice["Next"] for choice in (*state.get("Choices", ()), *state.get("Catch", ()))]
    return {*choices, *(state[name] for name in ("Next", "Default") if name in state)}


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_exists_and_is_reached(name: str) -> None:
    for scope in scopes(MACHINES[name]):
        seen, pending = set[str](), [scope["StartAt"]]
        while pending:
            at = pending.pop()
            if at not in seen:
                seen.add(at)
                pending.extend(followers(scope["States"][at]))
        assert seen == set(scope["States"])


def test_every_failure_ends_in_fail() -> None:
    """Each state of the run that can fail is caught, told, and ends the execution as failed, by a task that raises."""
    states = MACHINES["materialize"]["States"]
    for name, state in states.items():
        if state["Type"] in ("Task", "Map") and name not in ("Fail", "Failed", "Unload"):
            assert [each["Next"] for each in state["Catch"]] == ["Fail"], name
    assert (states["Fail"]["Next"], states["FailedAt"]["Next"]) == ("FailedAt", "Failed")
    assert "Catch" not in states["Failed"]


def test_no_execution_ends_in_a_state_that_a_redrive_cannot_leave() -> None:
    """AWS re-enters a Fail state on a redrive, and fails again."""
    assert [
        name
        for scope in scopes(MACHINES["materialize"])
        for name, state in scope["States"].items()
        if state["Type"] == "Fail"
    ] == []


def test_every_task_is_tried_again_with_jitter() -> None:
    for scope in scopes(MACHINES["materialize"]):
        for name, state in scope["States"].items():
            if state["Type"] == "Task":
                assert state["Retry"][-1]["JitterStrategy"] == "FULL", name


def test_lasting_errors_are_errors_of_asof() -> None:
    """A state machine knows them by name only, so that a renamed one would be tried again and again."""
    assert [name for name in LASTING if not issubclass(getattr(errors, name), errors.AsofError)] == []


def test_the_deployed_definitions_are_these() -> None:
    """What the functions above give is what the template holds."""
    machines = resources(dev_templates()["asof-dev-service"], "AWS::StepFunctions::StateMachine").values()
    found = {each["Properties"]["StateMachineName"]: each["Properties"]["DefinitionString"] for each in machines}
    assert {name: json.loads(text) for name, text in found.items()} == {
        f"asof-dev-{name}": definition for name, definition in MACHINES.items()
    }


def granted(role: dict[str, Any]) -> set[tuple[str, str]]:
    """Each action on each resource of a role's inline policy."""
    (policy,) = role["Properties"]["Policies"]
    pairs = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        actions, places = statement["Action"], statement["Resource"]
        for action in actions if isinstance(actions, list) else [actions]:
            pairs |= {(action, place) for place in (places if isinstance(places, list) else [places])}
    return pairs


def pairs(grants: list[Grant]) -> set[tuple[str, str]]:
    """Each action on each resource of some grants."""
    return {(action, place) for grant in grants for action in grant.actions for place in grant.resources}


def test_every_function_has_a_role_of_its_own_with_the_grants_of_the_table() -> None:
    """And its own log streams; nothing else, no managed policy, no wildcard action."""
    seen = set()
    for template in dev_templates().values():
        for function in resources(template, "AWS::Lambda::Function").values():
            name = function["Properties"]["FunctionName"].removeprefix("asof-dev-")
            role = template["Resources"][function["Properties"]["Role"]["Fn::GetAtt"][0]]
            logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/asof-dev-{name}:*"
            own = {("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)}
            assert granted(role) == pairs(FUNCTIONS[name](PLACES)) | own, name
            assert "ManagedPolicyArns" not in role["Properties"]
            seen.add(name)
    assert seen == set(FUNCTIONS)


def test_no_action_is_a_wildcard_and_no_resource_is_everything() -> None:
    for grants in (*FUNCTIONS.values(), materialize_machine, backfill_machine):
        for action, place in pairs(grants(PLACES)):
            assert "*" not in action
            assert place.split(":")[5:] != ["*"], action


def test_functions_are_told_three_things_and_fit_the_names() -> None:
    """Every physical name follows from these, so a hundred views need no more environment than one."""
    for template in dev_templates().values():
        for function in resources(template, "AWS::Lambda::Function").values():
            variables = function["Properties"]["Environment"]["Variables"]
            assert variables == {"ASOF_ENV": "dev", "ASOF_ACCOUNT": ACCOUNT, "ASOF_REGION": REGION}


def test_sources_can_be_read_where_they_are_and_nothing_beside_them() -> None:
    """One given as a prefix brings its place along; of one given as a table the environment knows it."""
    source = a_source(table=None, path="s3://lake/raw/departures")
    manifest = Manifest(sources=(source, a_source(name="other")))
    places = Places(Environment("dev", ACCOUNT, REGION), "aws", manifest, ("s3://warehouse/events/",))
    begin = pairs(FUNCTIONS["begin"](places))
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    assert {place for action, place in begin if action == "glue:GetTable"} == {
        f"{glue}:catalog",
        f"{glue}:database/asof_dev",
        f"{glue}:table/asof_dev/src_departures",
        f"{glue}:database/raw",
        f"{glue}:table/raw/departures",
    }
    assert {place for action, place in begin if action == "s3:ListBucket"} == {"arn:aws:s3:::lake"}
    reads = pairs(materialize_machine(places))
    assert ("s3:GetObject", "arn:aws:s3:::lake/raw/departures/*") in reads
    assert ("s3:GetObject", "arn:aws:s3:::warehouse/events/*") in reads
    assert ("s3:PutObject", "arn:aws:s3:::lake/raw/departures/*") not in reads

"""Small CloudFormation templates, and functions made of a few lines of source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Resource = dict[str, Any]

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def template(resources: Mapping[str, Resource], outputs: Mapping[str, Any] | None = None, **sections: Any) -> str:
    """A template's text; outputs are given as their values."""
    named = {name: value if "Value" in value else {"Value": value} for name, value in (outputs or {}).items()}
    return json.dumps({"Resources": resources, **({"Outputs": named} if named else {}), **sections})


def role() -> Resource:
    """A role without permissions, which nothing checks."""
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}


def function(name: str, source: str, **properties: Any) -> Resource:
    """A function of that source, whose role is the resource ``Role``; its handler is ``handle``."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "index.handle",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": source},
            **properties,
        },
    }


def machine(name: str, definition: Mapping[str, Any]) -> Resource:
    """A state machine of that definition, whose role is the resource ``Role``."""
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": name,
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            "DefinitionString": json.dumps(definition),
        },
    }


def deployed(cloudformation: Any, name: str, text: str) -> dict[str, str]:
    """Create or update a stack and wait for it; returns its outputs, or fails with its events."""
    existing = [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]]
    if name in existing:
        cloudformation.update_stack(StackName=name, TemplateBody=text)
    else:
        cloudformation.create_stack(StackName=name, TemplateBody=text)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), reasons(cloudformation, name)
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def status(cloudformation: Any, name: str) -> str:
    """A stack's status."""
    return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def reasons(cloudformation: Any, name: str) -> list[str]:
    """Why things failed in a stack, the latest first."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"{each['LogicalResourceId']} {each['ResourceStatus']}: {each['ResourceStatusReason']}"
        for each in events
        if "ResourceStatusReason" in each
    ]

"""AWS::StepFunctions::StateMachine."""

from __future__ import annotations

import json
import re
from typing import Any

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    refuse,
    unless_missing,
)


class StepFunctionsStateMachine(ResourceType):
    """A state machine whose definition is text, an object, or an object in S3."""

    type = "AWS::StepFunctions::StateMachine"
    properties = frozenset(
        {
            "StateMachineName", "StateMachineType", "Definition", "DefinitionString", "DefinitionS3Location",
            "DefinitionSubstitutions", "RoleArn", "Tags",
        }
    )  # fmt: skip
    # The history of an execution is always complete here; it is not copied to logs or traces.
    accepted = frozenset({"LoggingConfiguration", "TracingConfiguration"})
    replacing = frozenset({"StateMachineName", "StateMachineType"})
    name_property = "StateMachineName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateStateMachine."""
        if properties.get("StateMachineType", "STANDARD") != "STANDARD":
            raise refuse(context, f"run state machines of type {properties['StateMachineType']}: only STANDARD")
        name = properties.get("StateMachineName") or context.name(80)
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
        arn = context.client("stepfunctions").create_state_machine(
            name=name, definition=_definition(context, properties), roleArn=properties["RoleArn"], tags=tags
        )["stateMachineArn"]
        return Deployed(arn, {"Arn": arn, "Name": name})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateStateMachine; executions at work keep the definition they started with."""
        context.client("stepfunctions").update_state_machine(
            stateMachineArn=physical_id, definition=_definition(context, new), roleArn=new["RoleArn"]
        )
        return Deployed(physical_id, {"Arn": physical_id, "Name": physical_id.rpartition(":")[2]})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by ARN alone
        """DeleteStateMachine."""
        client = context.client("stepfunctions")
        unless_missing(lambda: client.delete_state_machine(stateMachineArn=physical_id), "StateMachineDoesNotExist")


def _definition(context: Context, properties: Properties) -> str:
    if "DefinitionString" in properties:
        text = properties["DefinitionString"]
    elif "Definition" in properties:
        text = json.dumps(properties["Definition"])
    else:
        where: dict[str, Any] = properties["DefinitionS3Location"]
        found = context.client("s3").get_object(**pick(where, "Bucket", "Key"))
        text = found["Body"].read().decode()
    substitutions = properties.get("DefinitionSubstitutions", {})
    return re.sub(r"\$\{(\w+)\}", lambda match: str(substitutions.get(match[1], match[0])), text)

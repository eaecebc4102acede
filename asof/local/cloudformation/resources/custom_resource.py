"""AWS::CloudFormation::CustomResource and Custom::*: a deployed Lambda function that makes the resource.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from asof.local.cloudformation.callbacks import Callbacks
from asof.local.cloudformation.errors import ResourceFailedError
from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, refuse

PATIENCE_SECONDS: Final = 15.0
"""How long an answer may take after the function has returned."""


class CustomResource(ResourceType):
    """Invokes the function named by ``ServiceToken`` and waits until it answers at the ResponseURL."""

    type = "AWS::CloudFormation::CustomResource"
    properties = frozenset()
    replacing = frozenset({"ServiceToken"})

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def unknown(self, properties: Properties) -> list[str]:  # noqa: ARG002 # the function knows them
        """A custom resource's properties are its own."""
        return []

    def create(self, context: Context, properties: Properties) -> Deployed:
        """A ``Create`` request."""
        return self._ask(context, "Create", properties, {})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """An ``Update`` request."""
        extra = {"PhysicalResourceId": physical_id, "OldResourceProperties": _stringly(old)}
        return self._ask(context, "Update", new, extra)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """A ``Delete`` request."""
        self._ask(context, "Delete", properties, {"PhysicalResourceId": physical_id})

    def _ask(self, context: Context, kind: str, properties: Properties, extra: dict[str, Any]) -> Deployed:
        token = properties.get("ServiceToken", "")
        if ":lambda:" not in token:
            raise refuse(context, f"call the service token {token!r}: only Lambda functions")
        with self._callbacks.expect() as callback:
            request = {
                "RequestType": kind,
                "ServiceToken": token,
                "ResponseURL": f"{context.endpoint}{callback.path}",
                "StackId": context.stack_id,
                "RequestId": str(uuid.uuid4()),
                "LogicalResourceId": context.logical_id,
                "ResourceType": context.type,
                "ResourceProperties": _stringly(properties),
                **extra,
            }
            invoked = context.client("lambda").invoke(FunctionName=token, Payload=json.dumps(request).encode())
            known = extra.get("PhysicalResourceId")
            # A function that fails never answers; AWS waits for the timeout, here the failure is passed on at once.
            if "FunctionError" in invoked and not callback.answered:
                failure = invoked["Payload"].read().decode()
                raise ResourceFailedError(f"The function {token} failed: {failure}", physical_id=known)
            # It may have left the answer to something else; AWS waits for that for the whole timeout.
            answer = callback.wait(min(float(properties.get("ServiceTimeout", PATIENCE_SECONDS)), PATIENCE_SECONDS))
        if answer is None:
            raise ResourceFailedError(
                "CloudFormation did not receive a response from your Custom Resource", physical_id=known
            )
        physical_id = answer.get("PhysicalResourceId") or known
        if answer.get("Status") != "SUCCESS":
            reason = answer.get("Reason") or "no reason given"
            told = f"Received response status [FAILED] from custom resource. Message returned: {reason}"
            raise ResourceFailedError(told, physical_id=physical_id)
        if not physical_id:
            raise ResourceFailedError("Invalid PhysicalResourceId")
        return Deployed(physical_id, answer.get("Data") or {})


def _stringly(value: Any) -> Any:
    """Values as a function receives them: CloudFormation turns every scalar into text."""
    if isinstance(value, dict):
        return {key: _stringly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stringly(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else str(value)

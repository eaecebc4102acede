"""The custom resource that stands for the definitions: it checks or publishes them, and refuses a changed meaning."""

from __future__ import annotations

import hashlib
from typing import Literal

from aws_cdk import CustomResource, Duration
from constructs import Construct

from infra.constructs.function import Function
from infra.places import Places


class DefinitionsResource(Construct):
    """``check``: the stack goes no further where a published version would change its meaning. ``publish``: in force.

    The storage stack checks before it touches a table; the service stack publishes. Each has a function of its own,
    since only one of them may write.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        action: Literal["check", "publish"],
        places: Places,
        log_days: int,
    ) -> None:
        super().__init__(scope, name)
        text = places.manifest.to_json()
        function_name = {"check": "guard", "publish": "registry"}[action]
        self.function = Function(
            self,
            "Function",
            name=function_name,
            source="registry",
            places=places,
            manifest_text=text,
            log_days=log_days,
            timeout_s=300,
            description=f"Custom resource: {action} the feature definitions",
        )
        self.resource = CustomResource(
            self,
            "Resource",
            service_token=self.function.function.function_arn,
            resource_type="Custom::AsofDefinitions",
            service_timeout=Duration.minutes(6),
            properties={"Action": action, "Fingerprint": hashlib.sha256(text.encode()).hexdigest()},
        )

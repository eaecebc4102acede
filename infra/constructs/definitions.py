"""The custom resources that stand for the definitions: checked, with tables for their history, and published."""

from __future__ import annotations

import hashlib
from typing import Literal

from aws_cdk import CustomResource, Duration
from constructs import Construct

from infra.constructs.function import Function
from infra.places import Places


class DefinitionsResource(Construct):
    """``check``: the stack goes no further where a published version would change its meaning. ``publish``: in force.

    The storage stack checks before it touches a table; the service stack publishes. ``tables``: every version has its
    history table. Those are no resources of CloudFormation's, which could not take over the table of a view that was
    removed and comes back: it can neither create nor import what exists in Glue. Each has a function of its own, since
    each may do something else.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        action: Literal["check", "tables", "publish"],
        places: Places,
        log_days: int,
    ) -> None:
        super().__init__(scope, name)
        text = places.manifest.to_json()
        function_name = {"check": "guard", "tables": "tables", "publish": "registry"}[action]
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
            resource_type="Custom::AsofHistoryTables" if action == "tables" else "Custom::AsofDefinitions",
            service_timeout=Duration.minutes(6),
            properties={"Action": action, "Fingerprint": hashlib.sha256(text.encode()).hexdigest()},
        )

"""A Lambda with a role of its own that holds exactly what the permissions table says, and a log group that ends."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.bundling import stage
from infra.permissions import FUNCTIONS, Grant
from infra.places import Places

_RETENTION: Final = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
}
_TOKEN: Final = re.compile(r"\$\{Token\[AWS\.(\w+)\.\d+\]\}")
_WILDCARD: Final = (
    "Objects under one prefix, tables of the environment's own database, or log streams of the function's own group: "
    "names that do not exist yet when the stack is deployed"
)


def retention(days: int) -> logs.RetentionDays:
    """CloudWatch's word for a number of days; raises ValueError for one it is not used with here."""
    if days not in _RETENTION:
        raise ValueError(f"log_days={days}: choose from {sorted(_RETENTION)}")
    return _RETENTION[days]


class Function(Construct):
    """The function ``name`` of an environment: ``lambdas/<source>/handler.py`` with the manifest it works from."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        places: Places,
        manifest_text: str,
        log_days: int,
        source: str | None = None,
        timeout_s: int = 60,
        memory_mb: int = 512,
        description: str = "",
    ) -> None:
        super().__init__(scope, construct_id)
        environment = places.environment
        self.name = environment.named(name)
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{self.name}",
            retention=retention(log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        own_logs = Grant(
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            (places.arn("logs", f"log-group:/aws/lambda/{self.name}:*"),),
        )
        role = make_role(self, "Role", "lambda.amazonaws.com", [*FUNCTIONS[name](places), own_logs])
        with tempfile.TemporaryDirectory(prefix="asof-bundle-") as folder:
            stage(source or name, Path(folder), manifest_text)
            code = lambda_.Code.from_asset(folder)
            self.function = lambda_.Function(
                self,
                "Function",
                function_name=self.name,
                description=description,
                runtime=lambda_.Runtime.PYTHON_3_14,
                architecture=lambda_.Architecture.ARM_64,
                handler="handler.handle",
                code=code,
                role=role,
                timeout=Duration.seconds(timeout_s),
                memory_size=memory_mb,
                log_group=log_group,
                environment={
                    "ASOF_ENV": environment.name,
                    "ASOF_ACCOUNT": environment.account,
                    "ASOF_REGION": environment.region,
                },
            )


def make_role(scope: Construct, name: str, service: str, grants: Sequence[Grant]) -> iam.Role:
    """A role a service assumes, with one inline policy made of grants; each wildcard in it is acknowledged by name."""
    statements = [iam.PolicyStatement(actions=list(grant.actions), resources=list(grant.resources)) for grant in grants]
    role = iam.Role(
        scope,
        name,
        assumed_by=iam.ServicePrincipal(service),
        inline_policies={"Grants": iam.PolicyDocument(statements=statements)},
    )
    acknowledge_wildcards(role, grants, _WILDCARD)
    return role


def acknowledge_wildcards(construct: Construct, grants: Sequence[Grant], reason: str) -> None:
    """Tell cdk-nag why each resource with a wildcard is meant."""
    wild = {resource for grant in grants for resource in grant.resources if "*" in resource}
    for resource in sorted(_TOKEN.sub(r"<AWS::\1>", each) for each in wild):
        Validations.of(construct).acknowledge(
            Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{resource}]", reason=reason)
        )

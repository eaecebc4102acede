"""What whoever delivers may do: assume the roles that ``cdk bootstrap`` made, and read the registry to plan."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from asof.names import Environment
from infra.environments import ENVIRONMENTS, Deployment
from infra.permissions import Grant

QUALIFIER = "hnb659fds"
"""The CDK's own, unless a team bootstraps with another."""


def deploy_grants(deployment: Deployment) -> list[Grant]:
    """To deploy one environment: the roles of its account's bootstrap."""
    account, region = deployment.account or Aws.ACCOUNT_ID, deployment.region or Aws.REGION
    roles = tuple(
        f"arn:{Aws.PARTITION}:iam::{account}:role/cdk-{QUALIFIER}-{role}-role-{account}-{region}"
        for role in ("deploy", "file-publishing", "lookup")
    )
    return [Grant(("sts:AssumeRole",), roles)]


def plan_grants() -> list[Grant]:
    """To plan: read what is published and what was run, in every environment of this account."""
    grants = []
    for deployment in ENVIRONMENTS:
        environment = Environment(
            deployment.name, deployment.account or Aws.ACCOUNT_ID, deployment.region or Aws.REGION
        )
        bucket = f"arn:{Aws.PARTITION}:s3:::{environment.registry_bucket}"
        table = (
            f"arn:{Aws.PARTITION}:dynamodb:{environment.region}:{environment.account}:table/{environment.control_table}"
        )
        grants += [
            Grant(("s3:GetObject",), (f"{bucket}/*",)),
            Grant(("s3:ListBucket",), (bucket,)),
            Grant(("dynamodb:GetItem", "dynamodb:Query"), (table,)),
        ]
    return grants


def statements(grants: list[Grant]) -> list[iam.PolicyStatement]:
    """Grants as IAM has them."""
    return [iam.PolicyStatement(actions=list(each.actions), resources=list(each.resources)) for each in grants]

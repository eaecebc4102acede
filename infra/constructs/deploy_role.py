"""What whoever delivers may do: assume the roles that ``cdk bootstrap`` made, and read to plan."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from asof.manifest import Manifest
from asof.names import Environment
from infra.environments import ENVIRONMENTS, Deployment
from infra.permissions import Grant
from infra.places import Places

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


def plan_grants(manifest: Manifest) -> list[Grant]:
    """To plan: read what every environment of this account has published, and measure the sources of new views.

    A plan may meet sources that were not there when this was deployed: of the catalog it may see all descriptions.
    """
    catalog = tuple(
        f"arn:{Aws.PARTITION}:glue:{Aws.REGION}:{Aws.ACCOUNT_ID}:{part}"
        for part in ("catalog", "database/*", "table/*")
    )
    grants = [Grant(("glue:GetTable", "glue:GetPartitions"), catalog)]
    for deployment in ENVIRONMENTS:
        environment = Environment(
            deployment.name, deployment.account or Aws.ACCOUNT_ID, deployment.region or Aws.REGION
        )
        places = Places(environment, Aws.PARTITION, manifest, deployment.source_locations)
        registry = environment.registry_bucket
        grants += [
            Grant(("s3:GetObject",), (places.objects(registry), *places.source_objects)),
            Grant(("s3:ListBucket",), (places.bucket(registry), *places.source_buckets)),
            Grant(("dynamodb:GetItem",), (places.control_table,)),
        ]
    return grants


def statements(grants: list[Grant]) -> list[iam.PolicyStatement]:
    """Grants as IAM has them."""
    return [iam.PolicyStatement(actions=list(each.actions), resources=list(each.resources)) for each in grants]

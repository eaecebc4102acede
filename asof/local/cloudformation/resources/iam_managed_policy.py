"""AWS::IAM::ManagedPolicy."""

from __future__ import annotations

import json
from typing import Any

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, unless_missing


class IAMManagedPolicy(ResourceType):
    """A policy of its own, attached to roles; its Ref is its ARN."""

    type = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"ManagedPolicyName", "Description", "Path", "PolicyDocument", "Roles"})
    replacing = frozenset({"ManagedPolicyName", "Description", "Path"})
    name_property = "ManagedPolicyName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreatePolicy, attached to its roles."""
        iam = context.client("iam")
        made = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName") or context.name(128),
            PolicyDocument=json.dumps(properties["PolicyDocument"]),
            **pick(properties, "Path", "Description"),
        )["Policy"]["Arn"]
        _attach(iam, made, {}, properties)
        return Deployed(made, {"PolicyArn": made})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """A new default version of the document; only one is kept."""
        iam = context.client("iam")
        if old["PolicyDocument"] != new["PolicyDocument"]:
            versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
            document = json.dumps(new["PolicyDocument"])
            iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=document, SetAsDefault=True)
            for version in versions:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        _attach(iam, physical_id, old, new)
        return Deployed(physical_id, {"PolicyArn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeletePolicy, detached from its roles first."""
        iam = context.client("iam")

        def delete() -> None:
            _attach(iam, physical_id, properties, {})
            iam.delete_policy(PolicyArn=physical_id)

        unless_missing(delete, "NoSuchEntity")


def _attach(iam: Any, arn: str, old: Properties, new: Properties) -> None:
    before, after = set(old.get("Roles", [])), set(new.get("Roles", []))
    for role in sorted(before - after):
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    for role in sorted(after - before):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)

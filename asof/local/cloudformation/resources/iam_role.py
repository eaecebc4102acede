"""AWS::IAM::Role."""

from __future__ import annotations

import json
from typing import Any

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    tag_list,
    tag_map,
    unless_missing,
)


class IAMRole(ResourceType):
    """A role with its trust, its managed and its inline policies."""

    type = "AWS::IAM::Role"
    properties = frozenset(
        {
            "RoleName", "AssumeRolePolicyDocument", "Description", "Path", "ManagedPolicyArns", "Policies",
            "MaxSessionDuration", "PermissionsBoundary", "Tags",
        }
    )  # fmt: skip
    replacing = frozenset({"RoleName", "Path"})
    name_property = "RoleName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateRole and its policies."""
        iam = context.client("iam")
        name = properties.get("RoleName") or context.name(64)
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
            Tags=tag_list(properties.get("Tags")),
            **pick(properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
        )
        _policies(iam, name, {}, properties)
        return _deployed(iam, name)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Each part that changed."""
        iam = context.client("iam")
        if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"]:
            trust = json.dumps(new["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=physical_id, PolicyDocument=trust)
        described = pick(new, "Description", "MaxSessionDuration")
        if described != pick(old, "Description", "MaxSessionDuration"):
            iam.update_role(RoleName=physical_id, **{"Description": "", **described})
        _policies(iam, physical_id, old, new)
        gone = tag_map(old.get("Tags")).keys() - tag_map(new.get("Tags")).keys()
        if gone:
            iam.untag_role(RoleName=physical_id, TagKeys=sorted(gone))
        if new.get("Tags") != old.get("Tags") and new.get("Tags"):
            iam.tag_role(RoleName=physical_id, Tags=tag_list(new["Tags"]))
        return _deployed(iam, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteRole without its policies, which IAM demands."""
        iam = context.client("iam")

        def delete() -> None:
            _policies(iam, physical_id, properties, {})
            iam.delete_role(RoleName=physical_id)

        unless_missing(delete, "NoSuchEntity")


def _policies(iam: Any, role: str, old: Properties, new: Properties) -> None:
    before, after = set(old.get("ManagedPolicyArns", [])), set(new.get("ManagedPolicyArns", []))
    for arn in sorted(before - after):
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    for arn in sorted(after - before):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    inline = {each["PolicyName"]: each["PolicyDocument"] for each in new.get("Policies", [])}
    for name in sorted({each["PolicyName"] for each in old.get("Policies", [])} - inline.keys()):
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for name, document in inline.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _deployed(iam: Any, name: str) -> Deployed:
    role = iam.get_role(RoleName=name)["Role"]
    return Deployed(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

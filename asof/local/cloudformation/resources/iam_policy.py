"""AWS::IAM::Policy: an inline policy of one or more roles."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class IAMPolicy(ResourceType):
    """An inline policy; its Ref is its name."""

    type = "AWS::IAM::Policy"
    properties = frozenset({"PolicyName", "PolicyDocument", "Roles"})
    replacing = frozenset({"PolicyName"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """PutRolePolicy for each role."""
        iam, name = context.client("iam"), properties["PolicyName"]
        document = json.dumps(properties["PolicyDocument"])
        for role in properties.get("Roles", []):
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        return Deployed(name, {"Id": name})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """PutRolePolicy again; roles that are left out lose it."""
        gone = [role for role in old.get("Roles", []) if role not in new.get("Roles", [])]
        self.delete(context, physical_id, {"Roles": gone})
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteRolePolicy for each role."""
        iam = context.client("iam")
        for role in properties.get("Roles", []):

            def delete(role: str = role) -> None:
                iam.delete_role_policy(RoleName=role, PolicyName=physical_id)

            unless_missing(delete, "NoSuchEntity")

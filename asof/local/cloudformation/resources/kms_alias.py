"""AWS::KMS::Alias."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class KMSAlias(ResourceType):
    """Another name of a key."""

    type = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})
    replacing = frozenset({"AliasName"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateAlias."""
        name, key = properties["AliasName"], properties["TargetKeyId"]
        context.client("kms").create_alias(AliasName=name, TargetKeyId=key)
        return Deployed(name)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateAlias."""
        context.client("kms").update_alias(AliasName=physical_id, TargetKeyId=new["TargetKeyId"])
        return Deployed(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteAlias."""
        kms = context.client("kms")
        unless_missing(lambda: kms.delete_alias(AliasName=physical_id), "NotFoundException")

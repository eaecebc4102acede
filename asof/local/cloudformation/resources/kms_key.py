"""AWS::KMS::Key."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, unless_missing


class KMSKey(ResourceType):
    """A key; its Ref is its id."""

    type = "AWS::KMS::Key"
    properties = frozenset({"KeyPolicy", "Description", "EnableKeyRotation", "KeySpec", "KeyUsage", "Tags"})
    accepted = frozenset({"PendingWindowInDays", "RotationPeriodInDays"})
    replacing = frozenset({"KeySpec", "KeyUsage"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateKey."""
        kms = context.client("kms")
        made = kms.create_key(
            Policy=json.dumps(properties["KeyPolicy"]), **pick(properties, "Description", "KeySpec", "KeyUsage")
        )["KeyMetadata"]
        if properties.get("EnableKeyRotation"):
            kms.enable_key_rotation(KeyId=made["KeyId"])
        return Deployed(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Policy, description and rotation again."""
        kms = context.client("kms")
        kms.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=json.dumps(new["KeyPolicy"]))
        kms.update_key_description(KeyId=physical_id, Description=new.get("Description", ""))
        rotate = kms.enable_key_rotation if new.get("EnableKeyRotation") else kms.disable_key_rotation
        rotate(KeyId=physical_id)
        return Deployed(physical_id, {"Arn": context.arn("kms", f"key/{physical_id}"), "KeyId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """ScheduleKeyDeletion."""
        kms, days = context.client("kms"), int(properties.get("PendingWindowInDays", 30))
        unless_missing(
            lambda: kms.schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days), "NotFoundException"
        )

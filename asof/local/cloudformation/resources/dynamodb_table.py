"""AWS::DynamoDB::Table."""

from __future__ import annotations

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


class DynamoDBTable(ResourceType):
    """A table, changed in place so that its items survive an update."""

    type = "AWS::DynamoDB::Table"
    properties = frozenset(
        {
            "TableName", "KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput",
            "OnDemandThroughput", "PointInTimeRecoverySpecification", "TimeToLiveSpecification", "SSESpecification",
            "StreamSpecification", "DeletionProtectionEnabled", "TableClass", "Tags",
        }
    )  # fmt: skip
    accepted = frozenset({"ContributorInsightsSpecification", "WarmThroughput"})
    replacing = frozenset({"TableName", "KeySchema"})
    name_property = "TableName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateTable, then recovery and time to live."""
        dynamodb = context.client("dynamodb")
        name = properties.get("TableName") or context.name()
        optional: dict[str, Any] = pick(
            properties, "BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass"
        )
        if "SSESpecification" in properties:
            optional["SSESpecification"] = _sse(properties["SSESpecification"])
        if "StreamSpecification" in properties:
            optional["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
        if "Tags" in properties:
            optional["Tags"] = tag_list(properties["Tags"])
        dynamodb.create_table(
            TableName=name,
            KeySchema=properties["KeySchema"],
            AttributeDefinitions=properties["AttributeDefinitions"],
            **optional,
        )
        _features(dynamodb, name, {}, properties)
        return _deployed(dynamodb, name)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """UpdateTable with what changed."""
        dynamodb = context.client("dynamodb")
        names = ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass")
        changed = {name: new[name] for name in names if name in new and old.get(name) != new[name]}
        if old.get("DeletionProtectionEnabled") and not new.get("DeletionProtectionEnabled"):
            changed["DeletionProtectionEnabled"] = False
        if "SSESpecification" in new and old.get("SSESpecification") != new["SSESpecification"]:
            changed["SSESpecification"] = _sse(new["SSESpecification"])
        if "StreamSpecification" in new and old.get("StreamSpecification") != new["StreamSpecification"]:
            changed["StreamSpecification"] = {"StreamEnabled": True, **new["StreamSpecification"]}
        if changed:
            dynamodb.update_table(TableName=physical_id, **changed)
        _features(dynamodb, physical_id, old, new)
        deployed = _deployed(dynamodb, physical_id)
        if old.get("Tags") != new.get("Tags"):
            arn = deployed.attributes["Arn"]
            gone = tag_map(old.get("Tags")).keys() - tag_map(new.get("Tags")).keys()
            if gone:
                dynamodb.untag_resource(ResourceArn=arn, TagKeys=sorted(gone))
            if new.get("Tags"):
                dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(new["Tags"]))
        return deployed

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteTable, which fails under deletion protection."""
        dynamodb = context.client("dynamodb")
        unless_missing(lambda: dynamodb.delete_table(TableName=physical_id), "ResourceNotFoundException")


def _features(dynamodb: Any, name: str, old: Properties, new: Properties) -> None:
    recovery = new.get("PointInTimeRecoverySpecification")
    if recovery != old.get("PointInTimeRecoverySpecification"):
        enabled = bool((recovery or {}).get("PointInTimeRecoveryEnabled", False))
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
        )
    ttl = new.get("TimeToLiveSpecification")
    if ttl != old.get("TimeToLiveSpecification"):
        specification = ttl or {**old["TimeToLiveSpecification"], "Enabled": False}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


def _sse(value: Properties) -> dict[str, Any]:
    kept = {"SSEType": "KMS", **pick(value, "KMSMasterKeyId")} if value.get("SSEEnabled") else {}
    return {"Enabled": value["SSEEnabled"], **kept}


def _deployed(dynamodb: Any, name: str) -> Deployed:
    table = dynamodb.describe_table(TableName=name)["Table"]
    attributes = {"Arn": table["TableArn"]}
    if "LatestStreamArn" in table:
        attributes["StreamArn"] = table["LatestStreamArn"]
    return Deployed(name, attributes)

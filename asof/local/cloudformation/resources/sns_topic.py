"""AWS::SNS::Topic."""

from __future__ import annotations

from typing import Any

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_list, unless_missing


class SNSTopic(ResourceType):
    """A topic; its Ref is its ARN."""

    type = "AWS::SNS::Topic"
    properties = frozenset({"TopicName", "DisplayName", "KmsMasterKeyId", "Subscription", "Tags"})
    replacing = frozenset({"TopicName"})
    name_property = "TopicName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateTopic and its subscriptions."""
        name = properties.get("TopicName") or context.name()
        sns = context.client("sns")
        arn = sns.create_topic(Name=name, Attributes=_attributes(properties), Tags=tag_list(properties.get("Tags")))
        arn = arn["TopicArn"]
        for each in properties.get("Subscription", []):
            sns.subscribe(TopicArn=arn, Protocol=each["Protocol"], Endpoint=each["Endpoint"])
        return Deployed(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Attributes and subscriptions that changed."""
        sns = context.client("sns")
        for name in ("DisplayName", "KmsMasterKeyId"):
            if old.get(name) != new.get(name):
                value = new.get(name, "")
                sns.set_topic_attributes(TopicArn=physical_id, AttributeName=name, AttributeValue=value)
        if old.get("Subscription") != new.get("Subscription"):
            _unsubscribe(sns, physical_id)
            for each in new.get("Subscription", []):
                sns.subscribe(TopicArn=physical_id, Protocol=each["Protocol"], Endpoint=each["Endpoint"])
        return Deployed(physical_id, {"TopicArn": physical_id, "TopicName": physical_id.rpartition(":")[2]})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by ARN alone
        """DeleteTopic."""
        sns = context.client("sns")
        unless_missing(lambda: sns.delete_topic(TopicArn=physical_id), "NotFound", "NotFoundException")


def _attributes(properties: Properties) -> dict[str, str]:
    return {name: properties[name] for name in ("DisplayName", "KmsMasterKeyId") if name in properties}


def _unsubscribe(sns: Any, topic: str) -> None:
    for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])

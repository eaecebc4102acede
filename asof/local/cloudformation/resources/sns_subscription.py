"""AWS::SNS::Subscription."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class SNSSubscription(ResourceType):
    """A subscription of a topic; e-mail is accepted and, as without a mail server, not delivered."""

    type = "AWS::SNS::Subscription"
    properties = frozenset({"TopicArn", "Protocol", "Endpoint", "RawMessageDelivery", "FilterPolicy"})
    replacing = properties

    def create(self, context: Context, properties: Properties) -> Deployed:
        """Subscribe."""
        attributes = {}
        if "RawMessageDelivery" in properties:
            attributes["RawMessageDelivery"] = str(properties["RawMessageDelivery"]).lower()
        if "FilterPolicy" in properties:
            attributes["FilterPolicy"] = json.dumps(properties["FilterPolicy"])
        made = context.client("sns").subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return Deployed(made["SubscriptionArn"], {"Arn": made["SubscriptionArn"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Never called with a change: every property replaces."""
        return Deployed(physical_id, {"Arn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by ARN alone
        """Unsubscribe."""
        sns = context.client("sns")
        unless_missing(lambda: sns.unsubscribe(SubscriptionArn=physical_id), "NotFound")

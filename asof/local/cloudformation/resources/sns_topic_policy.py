"""AWS::SNS::TopicPolicy."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class SNSTopicPolicy(ResourceType):
    """Who may publish to topics."""

    type = "AWS::SNS::TopicPolicy"
    properties = frozenset({"Topics", "PolicyDocument"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """SetTopicAttributes for each topic."""
        sns, policy = context.client("sns"), json.dumps(properties["PolicyDocument"])
        for topic in properties["Topics"]:
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        name = context.name()
        return Deployed(name, {"Id": name})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Set it again; topics that are left out lose it."""
        gone = [topic for topic in old["Topics"] if topic not in new["Topics"]]
        self.delete(context, physical_id, {"Topics": gone})
        self.create(context, new)
        return Deployed(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002
        """Give each topic an empty policy."""
        sns = context.client("sns")
        empty = json.dumps({"Version": "2012-10-17", "Statement": []})
        for topic in properties["Topics"]:

            def reset(topic: str = topic) -> None:
                sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=empty)

            unless_missing(reset, "NotFound", "NotFoundException")

"""AWS::SQS::QueuePolicy."""

from __future__ import annotations

import json

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing

_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class SQSQueuePolicy(ResourceType):
    """Who may send to queues."""

    type = "AWS::SQS::QueuePolicy"
    properties = frozenset({"Queues", "PolicyDocument"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """SetQueueAttributes for each queue."""
        sqs, policy = context.client("sqs"), json.dumps(properties["PolicyDocument"])
        for queue in properties["Queues"]:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        name = context.name()
        return Deployed(name, {"Id": name})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Set it again; queues that are left out lose it."""
        gone = [queue for queue in old["Queues"] if queue not in new["Queues"]]
        self.delete(context, physical_id, {"Queues": gone})
        self.create(context, new)
        return Deployed(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002
        """Take the policy off each queue."""
        sqs = context.client("sqs")
        for queue in properties["Queues"]:

            def reset(queue: str = queue) -> None:
                sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})

            unless_missing(reset, *_GONE)

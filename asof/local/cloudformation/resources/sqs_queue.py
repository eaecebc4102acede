"""AWS::SQS::Queue."""

from __future__ import annotations

import json
from typing import Any

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_map, unless_missing

_ATTRIBUTES = (
    "DelaySeconds", "FifoQueue", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout",
)  # fmt: skip


class SQSQueue(ResourceType):
    """A queue; its Ref is its URL."""

    type = "AWS::SQS::Queue"
    properties = frozenset({"QueueName", "Tags"}).union(_ATTRIBUTES)
    replacing = frozenset({"QueueName", "FifoQueue"})
    name_property = "QueueName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateQueue."""
        name = properties.get("QueueName") or context.name(80)
        sqs = context.client("sqs")
        made = sqs.create_queue(
            QueueName=name, Attributes=_attributes(properties), tags=tag_map(properties.get("Tags"))
        )
        return _deployed(context, made["QueueUrl"])

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """SetQueueAttributes with what changed."""
        before, after = _attributes(old), _attributes(new)
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        changed.update({name: _DEFAULTS[name] for name in before.keys() - after.keys() if name in _DEFAULTS})
        if changed:
            context.client("sqs").set_queue_attributes(QueueUrl=physical_id, Attributes=changed)
        return _deployed(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by URL alone
        """DeleteQueue."""
        sqs = context.client("sqs")
        gone = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
        unless_missing(lambda: sqs.delete_queue(QueueUrl=physical_id), *gone)


_DEFAULTS = {"DelaySeconds": "0", "RedrivePolicy": "", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600"}


def _attributes(properties: Properties) -> dict[str, str]:
    return {name: _text(properties[name]) for name in _ATTRIBUTES if name in properties}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _deployed(context: Context, url: str) -> Deployed:
    name = url.rpartition("/")[2]
    return Deployed(url, {"Arn": context.arn("sqs", name), "QueueName": name, "QueueUrl": url})

"""AWS::Logs::LogGroup."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_map, unless_missing


class LogsLogGroup(ResourceType):
    """A log group and how long it keeps its lines."""

    type = "AWS::Logs::LogGroup"
    properties = frozenset({"LogGroupName", "RetentionInDays", "Tags"})
    accepted = frozenset({"LogGroupClass"})
    replacing = frozenset({"LogGroupName"})
    name_property = "LogGroupName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateLogGroup."""
        name = properties.get("LogGroupName") or context.name()
        context.client("logs").create_log_group(logGroupName=name, tags=tag_map(properties.get("Tags")))
        return self.update(context, name, {}, properties)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """PutRetentionPolicy, or none."""
        logs = context.client("logs")
        if "RetentionInDays" in new:
            logs.put_retention_policy(logGroupName=physical_id, retentionInDays=int(new["RetentionInDays"]))
        elif "RetentionInDays" in old:
            logs.delete_retention_policy(logGroupName=physical_id)
        return Deployed(physical_id, {"Arn": f"{context.arn('logs', f'log-group:{physical_id}')}:*"})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteLogGroup."""
        logs = context.client("logs")
        unless_missing(lambda: logs.delete_log_group(logGroupName=physical_id), "ResourceNotFoundException")

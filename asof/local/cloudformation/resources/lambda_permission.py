"""AWS::Lambda::Permission."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, unless_missing


class LambdaPermission(ResourceType):
    """A statement of a function's policy: who else may invoke it."""

    type = "AWS::Lambda::Permission"
    properties = frozenset({"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"})
    replacing = properties

    def create(self, context: Context, properties: Properties) -> Deployed:
        """AddPermission."""
        statement = context.name(100)
        context.client("lambda").add_permission(
            StatementId=statement,
            **pick(properties, "FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"),
        )
        return Deployed(statement, {"Id": statement})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Never called with a change: every property replaces."""
        return Deployed(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """RemovePermission."""
        client, function = context.client("lambda"), properties["FunctionName"]
        unless_missing(
            lambda: client.remove_permission(FunctionName=function, StatementId=physical_id),
            "ResourceNotFoundException",
        )

"""AWS::Glue::Table."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class GlueTable(ResourceType):
    """A table of the data catalog; its partitions survive an update."""

    type = "AWS::Glue::Table"
    properties = frozenset({"CatalogId", "DatabaseName", "TableInput"})
    replacing = frozenset({"CatalogId", "DatabaseName"})

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Another database or another name."""
        return super().replaces(old, new) or old["TableInput"].get("Name") != new["TableInput"].get("Name")

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateTable."""
        given = dict(properties["TableInput"])
        given.setdefault("Name", context.name().lower())
        context.client("glue").create_table(DatabaseName=properties["DatabaseName"], TableInput=given)
        return Deployed(given["Name"])

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateTable."""
        given = {**new["TableInput"], "Name": physical_id}
        context.client("glue").update_table(DatabaseName=new["DatabaseName"], TableInput=given)
        return Deployed(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteTable."""
        glue, database = context.client("glue"), properties["DatabaseName"]
        unless_missing(lambda: glue.delete_table(DatabaseName=database, Name=physical_id), "EntityNotFoundException")

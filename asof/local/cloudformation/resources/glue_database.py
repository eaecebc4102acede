"""AWS::Glue::Database."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class GlueDatabase(ResourceType):
    """A database of the data catalog."""

    type = "AWS::Glue::Database"
    properties = frozenset({"CatalogId", "DatabaseInput", "DatabaseName"})
    replacing = frozenset({"CatalogId", "DatabaseName"})
    name_property = "DatabaseName"

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Another catalog or another name."""
        return super().replaces(old, new) or old["DatabaseInput"].get("Name") != new["DatabaseInput"].get("Name")

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateDatabase."""
        given = dict(properties["DatabaseInput"])
        given["Name"] = properties.get("DatabaseName") or given.get("Name") or context.name().lower()
        context.client("glue").create_database(DatabaseInput=given)
        return Deployed(given["Name"])

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateDatabase."""
        given = {**new["DatabaseInput"], "Name": physical_id}
        context.client("glue").update_database(Name=physical_id, DatabaseInput=given)
        return Deployed(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteDatabase, tables included, as Glue does."""
        glue = context.client("glue")
        unless_missing(lambda: glue.delete_database(Name=physical_id), "EntityNotFoundException")

"""AWS::Athena::WorkGroup."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_list, unless_missing


class AthenaWorkGroup(ResourceType):
    """A workgroup: where results go, and how much a query may scan."""

    type = "AWS::Athena::WorkGroup"
    properties = frozenset({"Name", "Description", "State", "WorkGroupConfiguration", "Tags"})
    accepted = frozenset({"RecursiveDeleteOption"})
    replacing = frozenset({"Name"})
    name_property = "Name"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateWorkGroup."""
        athena = context.client("athena")
        athena.create_work_group(
            Name=properties["Name"],
            Configuration=dict(properties.get("WorkGroupConfiguration", {})),
            Description=properties.get("Description", ""),
            Tags=tag_list(properties.get("Tags")),
        )
        if properties.get("State", "ENABLED") == "DISABLED":
            athena.update_work_group(WorkGroup=properties["Name"], State="DISABLED")
        return Deployed(properties["Name"], {"CreationTime": "0"})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateWorkGroup with the whole configuration."""
        context.client("athena").update_work_group(
            WorkGroup=physical_id,
            Description=new.get("Description", ""),
            State=new.get("State", "ENABLED"),
            ConfigurationUpdates=_updates(new.get("WorkGroupConfiguration", {})),
        )
        return Deployed(physical_id, {"CreationTime": "0"})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteWorkGroup."""
        athena = context.client("athena")
        unless_missing(lambda: athena.delete_work_group(WorkGroup=physical_id), "InvalidRequestException")


def _updates(configuration: Properties) -> dict[str, object]:
    """A configuration as UpdateWorkGroup takes it: what is absent is to be removed."""
    updates: dict[str, object] = {
        name: configuration[name]
        for name in ("EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled")
        if name in configuration
    }
    if "EngineVersion" in configuration:
        updates["EngineVersion"] = configuration["EngineVersion"]
    if "BytesScannedCutoffPerQuery" in configuration:
        updates["BytesScannedCutoffPerQuery"] = int(configuration["BytesScannedCutoffPerQuery"])
    else:
        updates["RemoveBytesScannedCutoffPerQuery"] = True
    results = configuration.get("ResultConfiguration", {})
    if results:
        updates["ResultConfigurationUpdates"] = dict(results)
    return updates

"""AWS::CloudWatch::Dashboard."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, unless_missing


class CloudWatchDashboard(ResourceType):
    """A dashboard; its body is kept as it is."""

    type = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardName", "DashboardBody"})
    accepted = frozenset({"Tags"})  # moto's dashboards have none
    replacing = frozenset({"DashboardName"})
    name_property = "DashboardName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """PutDashboard."""
        return self.update(context, properties.get("DashboardName") or context.name(), {}, properties)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """PutDashboard again."""
        client = context.client("cloudwatch")
        client.put_dashboard(DashboardName=physical_id, DashboardBody=new["DashboardBody"])
        return Deployed(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteDashboards."""
        client = context.client("cloudwatch")
        unless_missing(lambda: client.delete_dashboards(DashboardNames=[physical_id]), "ResourceNotFound")

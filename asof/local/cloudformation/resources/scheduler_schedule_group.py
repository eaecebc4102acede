"""AWS::Scheduler::ScheduleGroup."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, tag_list, unless_missing


class SchedulerScheduleGroup(ResourceType):
    """A group of schedules; its Ref is its name."""

    type = "AWS::Scheduler::ScheduleGroup"
    properties = frozenset({"Name", "Tags"})
    replacing = frozenset({"Name"})
    name_property = "Name"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateScheduleGroup."""
        name = properties.get("Name") or context.name(64)
        tags = tag_list(properties.get("Tags"))
        made = context.client("scheduler").create_schedule_group(Name=name, Tags=tags)
        return Deployed(name, {"Arn": made["ScheduleGroupArn"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Only tags can change, and nothing here reads them."""
        return Deployed(physical_id, {"Arn": context.arn("scheduler", f"schedule-group/{physical_id}")})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteScheduleGroup."""
        scheduler = context.client("scheduler")
        unless_missing(lambda: scheduler.delete_schedule_group(Name=physical_id), "ResourceNotFoundException")

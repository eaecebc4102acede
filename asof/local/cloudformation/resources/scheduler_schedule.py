"""AWS::Scheduler::Schedule."""

from __future__ import annotations

from typing import Any

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, unless_missing

_SETTINGS = (
    "Description", "EndDate", "FlexibleTimeWindow", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone",
    "StartDate", "State", "Target",
)  # fmt: skip


class SchedulerSchedule(ResourceType):
    """A schedule; its Ref is its name."""

    type = "AWS::Scheduler::Schedule"
    properties = frozenset({"Name"}).union(_SETTINGS)
    replacing = frozenset({"Name", "GroupName"})
    name_property = "Name"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateSchedule."""
        name = properties.get("Name") or context.name(64)
        made = context.client("scheduler").create_schedule(Name=name, **_settings(properties))
        return Deployed(name, {"Arn": made["ScheduleArn"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateSchedule with everything."""
        made = context.client("scheduler").update_schedule(Name=physical_id, **_settings(new))
        return Deployed(physical_id, {"Arn": made["ScheduleArn"]})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteSchedule."""
        scheduler, group = context.client("scheduler"), pick(properties, "GroupName")
        unless_missing(lambda: scheduler.delete_schedule(Name=physical_id, **group), "ResourceNotFoundException")


def _settings(properties: Properties) -> dict[str, Any]:
    settings = pick(properties, *_SETTINGS)
    target = dict(settings["Target"])
    if "RetryPolicy" in target:
        target["RetryPolicy"] = {name: int(value) for name, value in target["RetryPolicy"].items()}
    return {**settings, "Target": target}

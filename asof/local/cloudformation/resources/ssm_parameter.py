"""AWS::SSM::Parameter."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType, pick, unless_missing

_SETTINGS = ("Type", "Value", "Description", "AllowedPattern", "Tier")


class SSMParameter(ResourceType):
    """A parameter; its Ref is its name."""

    type = "AWS::SSM::Parameter"
    properties = frozenset({"Name", "Tags"}).union(_SETTINGS)
    replacing = frozenset({"Name"})
    name_property = "Name"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """PutParameter."""
        name = properties.get("Name") or context.name()
        context.client("ssm").put_parameter(Name=name, **pick(properties, *_SETTINGS))
        return Deployed(name, {"Type": properties["Type"], "Value": properties["Value"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """PutParameter over the old one."""
        context.client("ssm").put_parameter(Name=physical_id, Overwrite=True, **pick(new, *_SETTINGS))
        return Deployed(physical_id, {"Type": new["Type"], "Value": new["Value"]})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteParameter."""
        ssm = context.client("ssm")
        unless_missing(lambda: ssm.delete_parameter(Name=physical_id), "ParameterNotFound")

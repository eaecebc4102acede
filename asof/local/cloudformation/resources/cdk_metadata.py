"""AWS::CDK::Metadata and AWS::CloudFormation::WaitConditionHandle: resources that are nothing but themselves."""

from __future__ import annotations

from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType


class CDKMetadata(ResourceType):
    """Which constructs a stack was made of."""

    type = "AWS::CDK::Metadata"
    properties = frozenset({"Analytics"})

    def create(self, context: Context, properties: Properties) -> Deployed:  # noqa: ARG002 # there is nothing to make
        """Nothing to make."""
        return Deployed(context.name())

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """Nothing to change."""
        return Deployed(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """Nothing to delete."""


class WaitConditionHandle(CDKMetadata):
    """What the CDK puts into a stack that would otherwise be empty."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    properties = frozenset()

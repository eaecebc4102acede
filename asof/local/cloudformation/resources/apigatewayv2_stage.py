"""AWS::ApiGatewayV2::Stage."""

from __future__ import annotations

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    refuse,
    tag_map,
    unless_missing,
)

_SETTINGS = (
    "AutoDeploy",
    "DefaultRouteSettings",
    "RouteSettings",
    "AccessLogSettings",
    "Description",
    "StageVariables",
)


class ApiGatewayV2Stage(ResourceType):
    """A stage that deploys its routes by itself; its Ref is its name."""

    type = "AWS::ApiGatewayV2::Stage"
    properties = frozenset({"ApiId", "StageName", "Tags"}).union(_SETTINGS)
    replacing = frozenset({"ApiId", "StageName"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateStage."""
        if not properties.get("AutoDeploy", False):
            raise refuse(context, "deploy an API by deployments: only AutoDeploy")
        context.client("apigatewayv2").create_stage(
            ApiId=properties["ApiId"],
            StageName=properties["StageName"],
            Tags=tag_map(properties.get("Tags")),
            **_settings(properties),
        )
        return Deployed(properties["StageName"])

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """The old one away, the new one in its place: a stage holds nothing but settings."""
        self.delete(context, physical_id, old)
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteStage."""
        client, api = context.client("apigatewayv2"), properties["ApiId"]
        unless_missing(lambda: client.delete_stage(ApiId=api, StageName=physical_id), "NotFoundException")


def _settings(properties: Properties) -> dict[str, object]:
    settings = pick(properties, *_SETTINGS)
    if "DefaultRouteSettings" in settings:
        given = dict(settings["DefaultRouteSettings"])
        if "ThrottlingBurstLimit" in given:
            given["ThrottlingBurstLimit"] = int(given["ThrottlingBurstLimit"])
        if "ThrottlingRateLimit" in given:
            given["ThrottlingRateLimit"] = float(given["ThrottlingRateLimit"])
        settings["DefaultRouteSettings"] = given
    return settings

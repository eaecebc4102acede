"""AWS::ApiGatewayV2::Integration."""

from __future__ import annotations

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    refuse,
    unless_missing,
)

_SETTINGS = (
    "IntegrationType", "IntegrationUri", "IntegrationMethod", "PayloadFormatVersion", "TimeoutInMillis", "Description",
    "CredentialsArn",
)  # fmt: skip


class ApiGatewayV2Integration(ResourceType):
    """What a route calls: a Lambda function, with payload format 2.0."""

    type = "AWS::ApiGatewayV2::Integration"
    properties = frozenset({"ApiId"}).union(_SETTINGS)
    replacing = frozenset({"ApiId"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateIntegration."""
        _check(context, properties)
        made = context.client("apigatewayv2").create_integration(ApiId=properties["ApiId"], **_settings(properties))
        return Deployed(made["IntegrationId"], {"IntegrationId": made["IntegrationId"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateIntegration."""
        _check(context, new)
        context.client("apigatewayv2").update_integration(
            ApiId=new["ApiId"], IntegrationId=physical_id, **_settings(new)
        )
        return Deployed(physical_id, {"IntegrationId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteIntegration."""
        client, api = context.client("apigatewayv2"), properties["ApiId"]
        unless_missing(lambda: client.delete_integration(ApiId=api, IntegrationId=physical_id), "NotFoundException")


def _check(context: Context, properties: Properties) -> None:
    if properties["IntegrationType"] != "AWS_PROXY" or "IntegrationSubtype" in properties:
        raise refuse(context, "integrate anything but a Lambda function (AWS_PROXY)")
    if properties.get("PayloadFormatVersion", "1.0") != "2.0":
        raise refuse(context, "send the payload format 1.0: only 2.0")


def _settings(properties: Properties) -> dict[str, object]:
    settings = pick(properties, *_SETTINGS)
    if "TimeoutInMillis" in settings:
        settings["TimeoutInMillis"] = int(settings["TimeoutInMillis"])
    return settings

"""AWS::ApiGatewayV2::Api."""

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
from asof.local.services.http_address import api_address

_SETTINGS = ("Name", "Description", "DisableExecuteApiEndpoint")


class ApiGatewayV2Api(ResourceType):
    """An HTTP API; its Ref is its id, its ApiEndpoint an address of the local cloud."""

    type = "AWS::ApiGatewayV2::Api"
    properties = frozenset({"ProtocolType", "Tags"}).union(_SETTINGS)
    replacing = frozenset({"ProtocolType"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateApi."""
        if properties.get("ProtocolType") != "HTTP":
            raise refuse(context, f"serve APIs of the protocol {properties.get('ProtocolType')}: only HTTP")
        made = context.client("apigatewayv2").create_api(
            ProtocolType="HTTP", Tags=tag_map(properties.get("Tags")), **pick(properties, *_SETTINGS)
        )
        return _deployed(context, made["ApiId"])

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateApi."""
        context.client("apigatewayv2").update_api(ApiId=physical_id, **pick(new, *_SETTINGS))
        return _deployed(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by id alone
        """DeleteApi."""
        client = context.client("apigatewayv2")
        unless_missing(lambda: client.delete_api(ApiId=physical_id), "NotFoundException")


def _deployed(context: Context, api_id: str) -> Deployed:
    return Deployed(api_id, {"ApiId": api_id, "ApiEndpoint": api_address(context.endpoint, api_id)})

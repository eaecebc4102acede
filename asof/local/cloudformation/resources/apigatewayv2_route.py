"""AWS::ApiGatewayV2::Route."""

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

_SETTINGS = ("RouteKey", "Target", "AuthorizationType", "OperationName")


class ApiGatewayV2Route(ResourceType):
    """A method and path of an HTTP API, open or for signed requests (AWS_IAM)."""

    type = "AWS::ApiGatewayV2::Route"
    properties = frozenset({"ApiId"}).union(_SETTINGS)
    replacing = frozenset({"ApiId"})

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateRoute."""
        _check(context, properties)
        made = context.client("apigatewayv2").create_route(ApiId=properties["ApiId"], **pick(properties, *_SETTINGS))
        return Deployed(made["RouteId"], {"RouteId": made["RouteId"]})

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:  # noqa: ARG002
        """UpdateRoute."""
        _check(context, new)
        settings = {"AuthorizationType": "NONE", **pick(new, *_SETTINGS)}
        context.client("apigatewayv2").update_route(ApiId=new["ApiId"], RouteId=physical_id, **settings)
        return Deployed(physical_id, {"RouteId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """DeleteRoute."""
        client, api = context.client("apigatewayv2"), properties["ApiId"]
        unless_missing(lambda: client.delete_route(ApiId=api, RouteId=physical_id), "NotFoundException")


def _check(context: Context, properties: Properties) -> None:
    kind = properties.get("AuthorizationType", "NONE")
    if kind not in ("NONE", "AWS_IAM"):
        raise refuse(context, f"authorize by {kind}: only NONE and AWS_IAM")

"""The HTTP API of lookups: IAM authorization, throttled, every request logged."""

from __future__ import annotations

import json
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from asof.names import Environment
from infra.constructs.function import retention
from infra.environments import Deployment

ROUTES: Final = (
    ("POST", "/get-online-features"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
)

_LOG_FORMAT: Final = json.dumps(
    {
        "request": "$context.requestId",
        "caller": "$context.identity.userArn",
        "route": "$context.routeKey",
        "status": "$context.status",
        "bytes": "$context.responseLength",
        "ms": "$context.responseLatency",
        "error": "$context.error.message",
    }
)


class LookupApi(Construct):
    """``asof-<env>-online``: each route invokes the online function for callers that IAM lets through."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        deployment: Deployment,
        function: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, name)
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=environment.named("online"),
            description=f"Online features of Asof {environment.name}",
            create_default_stage=False,
            default_authorizer=authorizers.HttpIamAuthorizer(),
        )
        integration = integrations.HttpLambdaIntegration("Lookups", function)
        for method, path in ROUTES:
            self.api.add_routes(path=path, methods=[apigateway.HttpMethod(method)], integration=integration)
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/vendedlogs/{environment.named('online-access')}",
            retention=retention(deployment.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=deployment.requests_per_second, burst_limit=deployment.burst
            ),
        )
        stage = self.stage.node.default_child
        if isinstance(stage, apigateway.CfnStage):
            stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=access_log.log_group_arn, format=_LOG_FORMAT
            )

"""Answers requests to deployed HTTP APIs by invoking deployed functions."""

from __future__ import annotations

import fnmatch
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any, Final

from asof.errors import LocalCloudError
from asof.local.services.functions.emf import Datum
from asof.local.services.functions.moto_adapter import Functions
from asof.local.services.functions.runner import ThrottledError
from asof.local.services.http_api import payload
from asof.local.services.http_api.model import HttpAnswer, HttpRequest
from asof.local.services.http_api.routing import find
from asof.local.services.http_api.throttle import TokenBucket
from asof.local.services.metrics import Metrics
from asof.local.services.virtual_clock import VirtualClock

_BODY_LIMIT: Final = 10_485_760
_TIMEOUT_MS: Final = 30_000
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256\s+Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class _Place:
    account: str
    region: str
    api: Any
    stage: Any


class Gateway:
    """The HTTP APIs of all accounts and regions."""

    def __init__(self, functions: Functions, metrics: Metrics, clock: VirtualClock) -> None:
        self._functions = functions
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, float, float], TokenBucket] = {}

    def answer(self, api_id: str, request: HttpRequest) -> HttpAnswer:
        """The answer of an API; 404 where there is no such API, stage or route."""
        place, request = self._find(api_id, request)
        if place is None:
            return _message(404, "Not Found")
        start = time.monotonic()
        request_id = str(uuid.uuid4())
        found = self._routed(place, request, request_id)
        latency_ms = (time.monotonic() - start) * 1_000
        self._measure(place, found.status, latency_ms)
        self._log(place, request, request_id, found, latency_ms)
        return replace(found, headers=(*found.headers, ("apigw-requestid", request_id)))

    def _find(self, api_id: str, request: HttpRequest) -> tuple[_Place | None, HttpRequest]:
        from moto.apigatewayv2.models import apigatewayv2_backends

        for account, regions in list(apigatewayv2_backends.items()):
            for region, backend in list(regions.items()):
                api = backend.apis.get(api_id)
                if api is None:
                    continue
                first, _, rest = request.path.lstrip("/").partition("/")
                if first in api.stages:
                    return _Place(account, region, api, api.stages[first]), replace(request, path=f"/{rest}")
                if "$default" in api.stages:
                    return _Place(account, region, api, api.stages["$default"]), request
        return None, request

    def _routed(self, place: _Place, request: HttpRequest, request_id: str) -> HttpAnswer:
        routes = {route.route_key: route for route in place.api.routes.values()}
        match = find(routes, request.method, request.path)
        if match is None:
            return _message(404, "Not Found")
        if not self._passes(place):
            return _message(429, "Too Many Requests")
        route = routes[match[0]]
        caller = _caller(request, place)
        if route.authorization_type == "AWS_IAM" and caller is None:
            return _message(403, "Forbidden")
        if len(request.body) > _BODY_LIMIT:
            return _message(413, "Request Entity Too Large")
        arrival = payload.Arrival(
            account=place.account,
            api_id=place.api.api_id,
            stage=place.stage.name,
            stage_variables=place.stage.stage_variables or {},
            route=match[0],
            variables=match[1],
            caller=caller if route.authorization_type == "AWS_IAM" else None,
            request_id=request_id,
            now_ms=self._clock.now_ms(),
        )
        return self._invoked(place, route, payload.event(request, arrival))

    def _invoked(self, place: _Place, route: Any, event: dict[str, Any]) -> HttpAnswer:
        try:
            return payload.answer(self._result(place, route, event))
        except (ThrottledError, TimeoutError) as error:
            return _message(503, "Service Unavailable", str(error))
        except (LocalCloudError, payload.MalformedResultError) as error:
            return _message(500, "Internal Server Error", str(error))

    def _result(self, place: _Place, route: Any, event: dict[str, Any]) -> str:
        """What the route's function returns; raises LocalCloudError where it fails, TimeoutError where it is slow."""
        integration = place.api.integrations.get((route.target or "").partition("/")[2])
        function = None if integration is None else _function(place, integration.integration_uri)
        if function is None or not _permitted(function, place):
            raise LocalCloudError("the route has no function, or the API may not invoke it")
        start = time.monotonic()
        invocation = self._functions.invoke(function, json.dumps(event))
        if (time.monotonic() - start) * 1_000 > (integration.timeout_in_millis or _TIMEOUT_MS):
            raise TimeoutError("the integration timed out")
        if invocation.error is not None:
            raise LocalCloudError(invocation.payload)
        return invocation.payload

    def _passes(self, place: _Place) -> bool:
        settings = place.stage.default_route_settings or {}
        rate = float(settings.get("throttlingRateLimit", 10_000))
        burst = float(settings.get("throttlingBurstLimit", 5_000))
        key = (place.api.api_id, place.stage.name, rate, burst)
        with self._lock:
            bucket = self._buckets.setdefault(key, TokenBucket(rate, burst))
        return bucket.take()

    def _measure(self, place: _Place, status: int, latency_ms: float) -> None:
        values = {
            "Count": (1.0, "Count"),
            "4xx": (1.0 if 400 <= status < 500 else 0.0, "Count"),
            "5xx": (1.0 if status >= 500 else 0.0, "Count"),
            "Latency": (latency_ms, "Milliseconds"),
        }
        api = (("ApiId", place.api.api_id),)
        for name, (value, unit) in values.items():
            for dimensions in (api, (*api, ("Stage", place.stage.name))):
                datum = Datum("AWS/ApiGateway", name, dimensions, (value,), self._clock.now_ms(), unit)
                self._metrics.record(place.account, place.region, datum)

    def _log(self, place: _Place, request: HttpRequest, request_id: str, answer: HttpAnswer, latency_ms: float) -> None:
        settings = place.stage.access_log_settings
        if not settings:
            return
        caller = _caller(request, place) or {}
        words = {
            "requestId": request_id,
            "routeKey": f"{request.method} {request.path}",
            "httpMethod": request.method,
            "path": request.path,
            "status": str(answer.status),
            "responseLength": str(len(answer.body)),
            "responseLatency": str(int(latency_ms)),
            "identity.sourceIp": request.source_ip,
            "identity.userArn": str(caller.get("userArn", "-")),
            "error.message": answer.error or "-",
        }
        line = re.sub(r"\$context\.([\w.]+)", lambda match: words.get(match[1], "-"), settings["format"])
        from moto.logs.models import logs_backends

        group = settings["destinationArn"].partition(":log-group:")[2].removesuffix(":*")
        logs = logs_backends[place.account][place.region]
        if group in logs.groups:
            if place.stage.name not in logs.groups[group].streams:
                logs.create_log_stream(group, place.stage.name)
            entry = {"timestamp": self._clock.now_ms(), "message": line}
            logs.groups[group].put_log_events(place.stage.name, [entry])


def _caller(request: HttpRequest, place: _Place) -> dict[str, Any] | None:
    """Who signed the request; None where nobody did, or for another service or region.

    Nobody's secret is known here, so the signature itself is not checked.
    """
    match = _CREDENTIAL.match(request.header("authorization") or "")
    if match is None or match[2] != place.region or match[3] != "execute-api":
        return None
    return {
        "accessKey": match[1],
        "accountId": place.account,
        "callerId": match[1],
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{place.account}:user/{match[1]}",
        "userId": match[1],
    }


def _function(place: _Place, uri: str) -> Any:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.models import lambda_backends

    arn = re.sub(r"^.*/functions/(.*)/invocations$", r"\1", uri)
    try:
        return lambda_backends[place.account][place.region].get_function(arn)
    except UnknownFunctionException:
        return None


def _permitted(function: Any, place: _Place) -> bool:
    """Whether the function's policy lets API Gateway invoke it for this API."""
    source = f"arn:aws:execute-api:{place.region}:{place.account}:{place.api.api_id}/"
    for statement in function.policy.statements:
        principal = statement.get("Principal", {})
        service = principal.get("Service") if isinstance(principal, dict) else principal
        if service != "apigateway.amazonaws.com":
            continue
        allowed = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn")
        if allowed is None or fnmatch.fnmatchcase(source, allowed[: len(source)]) or allowed.startswith(source):
            return True
    return False


def _message(status: int, message: str, error: str = "") -> HttpAnswer:
    body = json.dumps({"message": message}).encode()
    return HttpAnswer(status, body, (("content-type", "application/json"),), error or message)

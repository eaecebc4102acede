"""Payload format 2.0: a request as a function receives it, and a function's result as an answer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from asof.clock import from_ms
from asof.local.services.http_api.model import HttpAnswer, HttpRequest

_TEXT: Final = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where and when a request arrived: the API, its stage, the route with its variables, and who signed it."""

    account: str
    api_id: str
    stage: str
    stage_variables: Mapping[str, str]
    route: str
    variables: Mapping[str, str]
    caller: Mapping[str, Any] | None
    request_id: str
    now_ms: int


def event(request: HttpRequest, arrival: Arrival) -> dict[str, Any]:
    """The event of an invocation."""
    headers, cookies = _headers(request)
    text = _is_text(headers.get("content-type", ""))
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": arrival.route,
        "rawPath": request.path if arrival.stage == "$default" else f"/{arrival.stage}{request.path}",
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, arrival, headers),
        "isBase64Encoded": bool(request.body) and not text,
    }
    optional = {
        "cookies": cookies,
        "queryStringParameters": _query(request),
        "pathParameters": dict(arrival.variables),
        "stageVariables": dict(arrival.stage_variables),
    }
    result.update({name: value for name, value in optional.items() if value})
    if request.body:
        encoded = request.body.decode(errors="replace") if text else base64.b64encode(request.body).decode()
        result["body"] = encoded
    return result


def _headers(request: HttpRequest) -> tuple[dict[str, str], list[str]]:
    """Headers in lower case, repeated ones joined by commas, and the cookies apart."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        key = name.lower()
        if key == "cookie":
            cookies.extend(part.strip() for part in value.split(";"))
        else:
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers, cookies


def _query(request: HttpRequest) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def _context(request: HttpRequest, arrival: Arrival, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "accountId": arrival.account,
        "apiId": arrival.api_id,
        "domainName": headers.get("host", "localhost"),
        "domainPrefix": arrival.api_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": arrival.request_id,
        "routeKey": arrival.route,
        "stage": arrival.stage,
        "time": _clf(from_ms(arrival.now_ms)),
        "timeEpoch": arrival.now_ms,
        **({} if arrival.caller is None else {"authorizer": {"iam": arrival.caller}}),
    }


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or kind.startswith(_TEXT) or kind.endswith(("+json", "+xml"))


def _clf(instant: datetime) -> str:
    return instant.strftime("%d/%b/%Y:%H:%M:%S +0000")


class MalformedResultError(ValueError):
    """A function's result that is not an answer."""


def answer(result: str) -> HttpAnswer:
    """The answer a function's result, as JSON, stands for; raises MalformedResultError."""
    value = json.loads(result)
    if not (isinstance(value, dict) and "statusCode" in value):
        return HttpAnswer(200, result.encode(), (("content-type", "application/json"),))
    status, headers = value["statusCode"], value.get("headers") or {}
    if not str(status).isdigit() or not isinstance(headers, dict):
        raise MalformedResultError(
            f"statusCode {status!r} or headers {headers!r} of the function's result are not valid"
        )
    body = value.get("body", "")
    if not isinstance(body, str):
        raise MalformedResultError(f"the body of the function's result is a {type(body).__name__}, not text")
    content = base64.b64decode(body) if value.get("isBase64Encoded") else body.encode()
    given = [(str(name).lower(), str(content)) for name, content in headers.items()]
    given.extend(("set-cookie", cookie) for cookie in value.get("cookies") or [])
    if not any(name == "content-type" for name, _ in given):
        given.append(("content-type", "text/plain;charset=UTF-8"))
    return HttpAnswer(int(status), content, tuple(given))

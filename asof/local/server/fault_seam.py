"""Where requests that arrive at the port meet the faults of the local cloud, before moto sees them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from asof.local.faults import Answer, Faults, Request

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_SIGNED: Final = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")
_SERVICES: Final = {"awslambda": "lambda", "monitoring": "cloudwatch"}
"""Services that sign under a name of their own."""


class FaultSeam:
    """A WSGI application around moto's: what is asked for by a fault is answered here."""

    def __init__(self, moto: Wsgi, faults: Faults) -> None:
        self._moto = moto
        self._faults = faults

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not self._faults.pending:
            return self._moto(environ, start_response)
        body = _body(environ)
        access_key, service = _signature(environ)
        asked = Request(service, operation(service, environ, body), body, self._faults.function_of(access_key))

        def forward(changed: bytes) -> bytes:
            sent: list[bytes] = []
            given = {**environ, "wsgi.input": io.BytesIO(changed), "CONTENT_LENGTH": str(len(changed))}
            answered = self._moto(given, lambda *_: sent.append)
            sent.extend(answered)
            return b"".join(sent)

        instead = self._faults.around_request(asked, forward)
        if instead is None:
            return self._moto(environ, start_response)
        return _send(instead, start_response)


def _body(environ: Environ) -> bytes:
    """The request's body, which moto can read again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    source = environ["wsgi.input"]
    body: bytes = source.read() if environ.get("wsgi.input_terminated") else source.read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _signature(environ: Environ) -> tuple[str, str]:
    """The access key and the service that a request is signed with; empty where it is not signed."""
    signed = _SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
    return (signed[1], _SERVICES.get(signed[2], signed[2])) if signed else ("", "")


def operation(service: str, environ: Environ, body: bytes) -> str:
    """The API's name of what is asked; empty where it cannot be told, so that only a fault of ``*`` meets it."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return _of_s3(environ)
    if service == "lambda" and environ["PATH_INFO"].endswith("/invocations"):
        return "Invoke"
    action = parse_qs(body.decode(errors="replace")).get("Action") if body.startswith(b"Action=") else None
    return action[0] if action else ""


def _of_s3(environ: Environ) -> str:
    """Addressed by path: ``/bucket/key``."""
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    _, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if not key:
        listed = "ListObjectsV2" if "list-type" in query else ""
        return {"GET": listed, "POST": "DeleteObjects" if "delete" in query else ""}.get(method, "")
    if query.keys() & {"uploads", "uploadId", "acl", "tagging"}:
        return ""
    return {"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "HEAD": "HeadObject"}.get(method, "")


def _send(answer: Answer, start_response: Callable[..., Any]) -> Iterable[bytes]:
    kind = "application/xml" if answer.body.startswith(b"<") else "application/x-amz-json-1.0"
    headers = [("content-type", kind), ("content-length", str(len(answer.body))), ("x-amzn-requestid", "local")]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [answer.body]

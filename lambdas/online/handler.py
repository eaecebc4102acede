"""Online: answers lookups over HTTP. Standard library only; one connection to DynamoDB, kept between calls."""

from __future__ import annotations

import functools
import os
from base64 import b64decode
from pathlib import Path
from typing import Any

from asof.clock import SystemClock
from asof.deployed import bundled_environment, bundled_manifest
from asof.monitor.log import log_line
from asof.online.reader import OnlineReader
from asof.online.signed import Credentials, SignedDynamoDB
from asof.serve.http import OnlineApi
from asof.serve.lookup import OnlineLookup
from asof.serve.openapi import openapi


@functools.cache
def api() -> OnlineApi:
    """The API over this function's manifest and environment; made once, at the first request."""
    folder = Path(os.environ.get("LAMBDA_TASK_ROOT", "."))
    environment, manifest, clock = bundled_environment(os.environ), bundled_manifest(folder), SystemClock()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL")
    client = SignedDynamoDB(environment.region, Credentials.of(os.environ), endpoint=endpoint)
    lookup = OnlineLookup(manifest, OnlineReader(client, environment.online_table, clock=clock), clock)

    def document() -> str:  # read when it is asked for, not at every cold start
        return openapi((folder / "openapi.json").read_text(encoding="utf-8"), manifest)

    return OnlineApi(lookup, about={"environment": environment.name}, openapi=document)


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """An event of an HTTP API (payload format 2.0) -> its answer. What fails is logged; what succeeds, the API logs."""
    http = event["requestContext"]["http"]
    text = event.get("body")
    body = b64decode(text) if text and event.get("isBase64Encoded") else (text or "").encode("utf-8", "surrogatepass")
    answer = api().respond(http["method"], event["rawPath"], body)
    if answer.status >= 400:
        request = event["requestContext"].get("requestId")
        print(log_line("refused", status=answer.status, path=event["rawPath"], request=request, body=answer.body))
    return {"statusCode": answer.status, "headers": dict(answer.headers), "body": answer.body}

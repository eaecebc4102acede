"""What Schemathesis's command line loads before a run: every request is signed when it is ready to be sent."""

from __future__ import annotations

import os

import boto3
import requests
import schemathesis

from tests.support.deployment_signing import Signer


class Signature(requests.auth.AuthBase):
    """Signs a request as the API's IAM authorization wants it."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers that sign a request."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        assert body is None or isinstance(body, bytes), "what is sent in pieces cannot be signed as a whole"
        request.headers.update(self._signer.headers(str(request.method), str(request.url), body or None, {}))
        return request


# Registered by being imported: that is what the command line's hooks are.
schemathesis.auth.set_from_requests(  # type: ignore[attr-defined] # the function has it, its annotation has not
    Signature(Signer(boto3.Session(), os.environ["AWS_REGION"]))
)

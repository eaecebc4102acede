"""Signed requests to a deployed API, for clients that do not sign themselves."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

SECONDS: Final = 60.0
_PASSED_ON: Final = ("content-type", "accept", "content-encoding")


@dataclass(frozen=True)
class Signer:
    """Signs for an API with the credentials in force."""

    session: boto3.Session
    region: str
    service: str = "execute-api"

    def headers(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request, with those that sign it."""
        credentials = self.session.get_credentials()
        assert credentials is not None
        request = AWSRequest(method, url, data=body, headers=dict(headers))
        SigV4Auth(credentials, self.service, self.region).add_auth(request)
        return dict(request.headers.items())

    def send(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the answer to a signed request; the headers' names in small letters."""
        return send(method, url, body, self.headers(method, url, body, headers or {}))


def send(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """The same of a request as it is."""
    # The local cloud is on this machine: no proxy knows it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        asked = urllib.request.Request(url, body, dict(headers or {}), method=method)
        with opener.open(asked, timeout=SECONDS) as answer:
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), {name.lower(): value for name, value in error.headers.items()}


@contextmanager
def signing_proxy(signer: Signer, target: str) -> Iterator[str]:
    """The address of a server on the loopback that signs what it gets and passes it on to ``target``.

    What awslabs/aws-sigv4-proxy does for a client that cannot sign, such as Feast's.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on("GET")

        def do_POST(self) -> None:
            self._pass_on("POST")

        def _pass_on(self, method: str) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length) if length else None
            kept = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
            status, content, _ = signer.send(method, target + self.path, body, kept)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="signing-proxy")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

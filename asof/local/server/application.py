"""What the port answers: the local cloud's own paths, HTTP APIs, and moto for everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from asof.errors import AsofError
from asof.local.cloudformation import callbacks
from asof.local.cloudformation.callbacks import Callbacks
from asof.local.services.http_address import PREFIX as HTTP_PREFIX
from asof.local.services.http_api.gateway import Gateway
from asof.local.services.http_api.model import HttpAnswer, HttpRequest

ADMIN: Final = "/_asof/"
_API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Administer = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A command's name and its arguments to its result; raises AsofError where it is refused."""


class Application:
    """A WSGI application. ``moto`` answers AWS's APIs, ``administer`` the commands of ``asof local``."""

    def __init__(self, moto: Wsgi, gateway: Gateway, answers: Callbacks, administer: Administer) -> None:
        self._moto = moto
        self._gateway = gateway
        self._answers = answers
        self._administer = administer

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path: str = environ.get("PATH_INFO", "")
        host: str = environ.get("HTTP_HOST", "")
        if path.startswith(callbacks.PREFIX):
            return _send(self._callback(path, environ), start_response)
        if path.startswith(ADMIN):
            return _send(self._command(path.removeprefix(ADMIN), environ), start_response)
        if path.startswith(HTTP_PREFIX):
            api_id, _, rest = path.removeprefix(HTTP_PREFIX).partition("/")
            return _send(self._gateway.answer(api_id, _request(environ, f"/{rest}")), start_response)
        if match := _API_HOST.match(host):
            return _send(self._gateway.answer(match[1], _request(environ, path)), start_response)
        return self._moto(environ, start_response)

    def _callback(self, path: str, environ: Environ) -> HttpAnswer:
        try:
            body = json.loads(_body(environ))
        except ValueError:
            return HttpAnswer(400, b"the answer of a custom resource is JSON")
        return HttpAnswer(200 if isinstance(body, dict) and self._answers.deliver(path, body) else 404)

    def _command(self, name: str, environ: Environ) -> HttpAnswer:
        # A browser sends an Origin, and a page on the web must not administer what runs here.
        if "HTTP_ORIGIN" in environ:
            return HttpAnswer(403)
        try:
            result, status = self._administer(name, json.loads(_body(environ) or b"{}")), 200
        except AsofError as error:
            result, status = {"error": str(error)}, 400
        return HttpAnswer(status, json.dumps(result).encode(), (("content-type", "application/json"),))


def _body(environ: Environ) -> bytes:
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        content: bytes = environ["wsgi.input"].read()
        return content
    read: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return read


def _request(environ: Environ, path: str) -> HttpRequest:
    headers = [
        (name[5:].replace("_", "-").lower(), value) for name, value in environ.items() if name.startswith("HTTP_")
    ]
    plain = [name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    headers.extend((name.replace("_", "-").lower(), environ[name]) for name in plain)
    return HttpRequest(
        method=environ["REQUEST_METHOD"],
        # WSGI hands a path over as the Latin-1 of its bytes.
        path=path.encode("latin-1", errors="replace").decode(errors="replace"),
        query=environ.get("QUERY_STRING", ""),
        headers=tuple((str(name), str(value)) for name, value in headers),
        body=_body(environ),
        source_ip=environ.get("REMOTE_ADDR", "127.0.0.1"),
    )


def _send(answer: HttpAnswer, start_response: StartResponse) -> Iterable[bytes]:
    headers = [*answer.headers, ("content-length", str(len(answer.body)))]
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Status"
    start_response(f"{answer.status} {phrase}", headers)
    return [answer.body]

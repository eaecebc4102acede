"""The socket: bound first, so that the address is known to everything that is put together behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from asof.errors import LocalCloudError


class Unbound:
    """An application that is given later."""

    def __init__(self) -> None:
        self.application: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Hand the request on."""
        if self.application is None:
            start_response("503 Service Unavailable", [])
            return []
        return self.application(environ, start_response)


class _Handler(MotoRequestHandler):  # type: ignore[misc,unused-ignore] # moto's types are not complete
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: clients see their own answers."""


def listen(host: str, port: int, application: Unbound) -> BaseWSGIServer:
    """A server that is bound and does not serve yet; raises LocalCloudError where the port is taken."""
    try:
        return make_server(host, port, application, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit) as error:
        raise LocalCloudError(
            f"port {port} of {host} cannot be used ({error}); is a local cloud running? Try another --port"
        ) from error

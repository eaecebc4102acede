"""moto's applications, with CloudFormation's replaced, and failures told to clients instead of a page of HTML."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any, Final
from xml.sax.saxutils import escape

from asof.local.cloudformation.moto_adapter import CloudFormation, response_class

_log = logging.getLogger(__name__)


_ONE_AT_A_TIME: Final = frozenset({"dynamodb", "glue"})
"""Services whose conditional writes must be atomic, which moto's are not between threads."""


class _OneAtATime:
    """A WSGI application that answers one request after the other."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self._lock:
            return self._app(environ, start_response)


class BackendApps:
    """Makes the application of a service when it is first called."""

    def __init__(self, cloudformation: CloudFormation) -> None:
        self._cloudformation = cloudformation

    def __call__(self, service: Any) -> Any:
        """The application, whose failures are logged and answered in AWS's shape."""
        from moto.moto_server.werkzeug_app import create_backend_app

        app = self._own() if service == "cloudformation" else create_backend_app(service)
        app.config["PROPAGATE_EXCEPTIONS"] = False
        # Flask would log what is told to the client and logged below.
        setattr(app, "log_exception", lambda _: None)  # noqa: B010 # a method, which types do not let one assign
        app.register_error_handler(500, lambda error: _failed(service, error))
        return _OneAtATime(app) if service in _ONE_AT_A_TIME else app

    def _own(self) -> Any:
        from flask import Flask
        from moto.core.utils import convert_to_flask_response
        from moto.moto_server.werkzeug_app import BackendRequest

        app = Flask("asof-cloudformation")
        app.request_class = BackendRequest
        answer = convert_to_flask_response(response_class(self._cloudformation).dispatch)
        app.add_url_rule("/", endpoint="dispatch", methods=["GET", "POST"], view_func=answer)
        return app


def _failed(service: str, error: Any) -> Any:
    from flask import Response, request

    original = getattr(error, "original_exception", None) or error
    lacking = isinstance(original, NotImplementedError)
    code, status = ("NotImplemented", 501) if lacking else ("InternalFailure", 500)
    target = request.headers.get("X-Amz-Target") or request.form.get("Action") or f"{request.method} {request.path}"
    verb = "cannot do" if lacking else "failed at"
    message = f"the local cloud {verb} {service} {target}: {type(original).__name__}: {original}"
    _log.error(message, exc_info=None if lacking else original)
    if "X-Amz-Target" in request.headers or "json" in (request.content_type or ""):
        body, kind = json.dumps({"__type": code, "message": message}), "application/json"
    else:
        parts = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        body, kind = f"<ErrorResponse><Error>{parts}</Error></ErrorResponse>", "application/xml"
    return Response(body, status=status, content_type=kind)

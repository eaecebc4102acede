"""Puts the running functions behind moto's Lambda: its API stays, its invocations come here."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import unquote

from asof.errors import LocalCloudError
from asof.local.services.activity import Activity
from asof.local.services.functions.emf import Datum, metrics
from asof.local.services.functions.model import Function, Invocation
from asof.local.services.functions.runner import Runner, ThrottledError
from asof.local.services.metrics import Metrics
from asof.local.services.timeline import Timeline

PAYLOAD_LIMIT: Final = 6_291_456
_RETRY_MS: Final = (60_000, 120_000)
"""An asynchronous invocation that fails is tried again after one minute and after two more."""


class Functions:
    """Invokes deployed functions, synchronously or not; logs and metrics go where Lambda puts them."""

    def __init__(self, runner: Runner, metrics: Metrics, timeline: Timeline, activity: Activity) -> None:
        self._runner = runner
        self._metrics = metrics
        self._timeline = timeline
        self._activity = activity

    def invoke(self, deployed: Any, payload: str) -> Invocation:
        """Run a function of moto's on a JSON payload; raises ThrottledError or LocalCloudError."""
        function = described(deployed)
        reserved = deployed.reserved_concurrency
        with self._activity.work():
            try:
                invocation, stream = self._runner.invoke(function, payload, None if reserved is None else int(reserved))
            except ThrottledError:
                self._count(function, "Throttles", 1.0)
                raise
            now_ms = self._timeline.clock.now_ms()
            _write_log(deployed.logs_backend, function.log_group, stream, invocation.log, now_ms)
            for datum in metrics(invocation.log):
                self._metrics.record(function.account, function.region, datum)
            self._count(function, "Invocations", 1.0)
            self._count(function, "Errors", 1.0 if invocation.error else 0.0)
            self._count(function, "Duration", invocation.duration_ms, "Milliseconds")
        return invocation

    def invoke_later(self, deployed: Any, payload: str, attempt: int = 0) -> None:
        """Run a function in the background; a failure is tried again twice, minutes later."""

        def run() -> None:
            try:
                failed = self.invoke(deployed, payload).error is not None
            except LocalCloudError as error:
                _write_log(deployed.logs_backend, deployed.logs_group_name, "local", f"[ERROR] {error}", self._now_ms())
                failed = True
            if failed and attempt < len(_RETRY_MS):
                again_ms = self._now_ms() + _RETRY_MS[attempt]
                self._timeline.at(again_ms, partial(self.invoke_later, deployed, payload, attempt + 1))

        ready = threading.Event()

        def work() -> None:
            with self._activity.work():
                ready.set()
                run()

        threading.Thread(target=work, daemon=True, name="asof-invocation").start()
        ready.wait()

    def _now_ms(self) -> int:
        return self._timeline.clock.now_ms()

    def _count(self, function: Function, name: str, value: float, unit: str = "Count") -> None:
        dimensions = (("FunctionName", function.name),)
        datum = Datum("AWS/Lambda", name, dimensions, (value,), self._now_ms(), unit)
        self._metrics.record(function.account, function.region, datum)


def described(deployed: Any) -> Function:
    """A function of moto's as the runner takes it."""
    version = str(deployed.version)
    parts = [deployed.handler, deployed.run_time, deployed.role, str(deployed.timeout), str(deployed.memory_size)]
    seed = json.dumps([*parts, deployed.code_sha_256, dict(deployed.environment_vars), version])
    return Function(
        arn=deployed.function_arn,
        name=deployed.function_name,
        version=version if version.isdigit() and deployed.function_arn.endswith(f":{version}") else "$LATEST",
        account=deployed.account_id,
        region=deployed.region,
        handler=deployed.handler,
        runtime=deployed.run_time,
        role_arn=deployed.role,
        timeout_seconds=float(deployed.timeout),
        memory_mb=int(deployed.memory_size),
        log_group=deployed.logs_group_name,
        environment=dict(deployed.environment_vars),
        code=deployed.code_bytes,
        fingerprint=hashlib.sha256(seed.encode()).hexdigest()[:32],
    )


def _write_log(logs: Any, group: str, stream: str, text: str, now_ms: int) -> None:
    logs.ensure_log_group(group)
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    # Not through the backend, which refuses lines of a clock that was moved ahead.
    logs.groups[group].put_log_events(stream, [{"timestamp": now_ms, "message": line} for line in text.splitlines()])


@contextmanager
def installed(functions: Functions) -> Iterator[None]:
    """While inside, moto's Lambda runs functions for every caller: the API, topics, queues and rules."""
    from moto.awslambda.models import LambdaFunction
    from moto.awslambda.responses import LambdaResponse

    with ExitStack() as stack:
        stack.enter_context(patch.object(LambdaResponse, "invoke", _handler(functions)))
        stack.enter_context(patch.object(LambdaResponse, "invoke_async", _refused("InvokeAsync")))
        stack.enter_context(patch.object(LambdaFunction, "invoke", _internal(functions)))
        yield


def _internal(functions: Functions) -> Callable[..., str]:
    def invoke(deployed: Any, body: Any, request_headers: Any, response_headers: Any) -> str:
        """How moto's other services invoke a function: none of them looks at the result."""
        del request_headers, response_headers
        functions.invoke_later(deployed, body if isinstance(body, str) else json.dumps(body))
        return ""

    return invoke


def _refused(operation: str) -> Callable[[Any], Any]:
    def handle(_: Any) -> Any:
        return _error(501, "NotImplemented", f"the local cloud cannot do {operation}")

    return handle


def _handler(functions: Functions) -> Callable[[Any], Any]:
    def handle(response: Any) -> Any:
        name = unquote(response.path.rsplit("/", 2)[-2])
        deployed = response.backend.get_function(name, response._get_param("qualifier"))  # noqa: SLF001 # moto's own way
        payload = response.body or "{}"
        refusal = _refusal(payload)
        if refusal is not None:
            return refusal
        kind = response.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return 204, {"status": "204"}, ""
        if kind == "Event":
            functions.invoke_later(deployed, payload)
            return 202, {"status": "202"}, ""
        try:
            invocation = functions.invoke(deployed, payload)
        except ThrottledError as error:
            return _error(429, "TooManyRequestsException", str(error))
        except LocalCloudError as error:
            return _error(502, "InvalidRuntimeException", str(error))
        return _answer(deployed, invocation, tail=response.headers.get("X-Amz-Log-Type") == "Tail")

    return handle


def _refusal(payload: str) -> Any:
    try:
        json.loads(payload)
    except ValueError:
        return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
    if len(payload.encode()) > PAYLOAD_LIMIT:
        return _error(413, "RequestTooLargeException", f"Request must be smaller than {PAYLOAD_LIMIT} bytes")
    return None


def _answer(deployed: Any, invocation: Invocation, *, tail: bool) -> tuple[int, dict[str, Any], str]:
    headers = {
        "content-type": "application/json",
        "x-amzn-RequestId": invocation.request_id,
        "x-amz-executed-version": described(deployed).version,
    }
    if invocation.error is not None:
        headers["x-amz-function-error"] = invocation.error
    if tail:
        headers["x-amz-log-result"] = base64.b64encode(invocation.log.encode()[-4_096:]).decode()
    return 200, headers, invocation.payload


def _error(status: int, code: str, message: str) -> tuple[int, dict[str, Any], str]:
    headers = {"status": str(status), "x-amzn-ErrorType": code, "content-type": "application/json"}
    return status, headers, json.dumps({"Type": "User", "message": message, "Message": message})

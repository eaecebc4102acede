"""Runs inside a function's own process: loads the handler, answers invocations, and reads the local cloud's clock.

Only the standard library, and nothing of asof: what is importable here is what the deployed zip and Lambda's runtime
have. Invocations arrive as lines of JSON on one pipe, answers leave on another; standard output is the function's log.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

_monotonic = time.monotonic
_time_ns = time.time_ns


class _Ahead:
    """How far the local cloud's clock is ahead of the machine's."""

    ns = 0


def _install_clock() -> None:
    """``time.time`` and ``time.time_ns`` tell the local cloud's time."""
    time.time_ns = lambda: _time_ns() + _Ahead.ns
    time.time = lambda: (_time_ns() + _Ahead.ns) / 1e9


class Context:
    """Lambda's context object."""

    identity = None
    client_context = None

    def __init__(self, call: dict[str, Any]) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = call["arn"]
        self.aws_request_id = call["id"]
        self._deadline = _monotonic() + call["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is stopped."""
        return max(int((self._deadline - _monotonic()) * 1_000), 0)


class _RequestFilter(logging.Filter):
    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Give each record the request it belongs to."""
        record.aws_request_id = self.request_id
        return True


def _failure(error: BaseException, request_id: str) -> dict[str, Any]:
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": frames,
    }


def _load(handler: str, request_id: str) -> Any:
    module_name, _, function_name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        return {
            "errorMessage": message,
            "errorType": "Runtime.ImportModuleError",
            "requestId": request_id,
            "stackTrace": [],
        }
    except BaseException as error:  # noqa: BLE001 # whatever a handler's module raises is its function's error
        return _failure(error, request_id)
    if not hasattr(module, function_name):
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return {
            "errorMessage": message,
            "errorType": "Runtime.HandlerNotFound",
            "requestId": request_id,
            "stackTrace": [],
        }
    return getattr(module, function_name)


def _invoke(handler: Any, call: dict[str, Any]) -> dict[str, Any]:
    request_id = call["id"]
    try:
        result = handler(json.loads(call["payload"]), Context(call))
    except BaseException as error:  # noqa: BLE001 # whatever a handler raises is its function's error
        failure = _failure(error, request_id)
        print(f"[ERROR] {failure['errorType']}: {failure['errorMessage']}\n" + "".join(failure["stackTrace"]))
        return {"error": failure}
    try:
        return {"result": json.dumps(result)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return {
            "error": {
                "errorMessage": message,
                "errorType": "Runtime.MarshalError",
                "requestId": request_id,
                "stackTrace": [],
            }
        }


def main(calls_fd: int, answers_fd: int, handler_name: str, path: list[str]) -> None:
    """Answer invocations until the pipe of calls is closed."""
    sys.path[:0] = path
    _install_clock()
    names = _RequestFilter()
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s"))
    output.addFilter(names)
    logging.getLogger().addHandler(output)
    handler: Any = None
    with os.fdopen(calls_fd, encoding="utf-8") as calls, os.fdopen(answers_fd, "w", encoding="utf-8") as answers:
        for line in calls:
            call = json.loads(line)
            names.request_id = call["id"]
            _Ahead.ns = call["offset_ms"] * 1_000_000
            if handler is None:
                handler = _load(handler_name, call["id"])
            answer = {"error": handler, "lost": True} if isinstance(handler, dict) else _invoke(handler, call)
            sys.stdout.flush()
            sys.stderr.flush()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""Runs invocations: keeps processes warm per version of a function, honours timeouts and reserved concurrency."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asof.clock import iso
from asof.errors import LocalCloudError
from asof.local.services.functions.model import Function, Invocation
from asof.local.services.functions.process import FunctionProcess
from asof.local.services.functions.runtime import provided, unpacked
from asof.local.services.virtual_clock import VirtualClock

PROCESSES_PER_FUNCTION: Final = 4
"""Invocations of one function that run side by side; more of them wait."""
IDLE_PROCESSES: Final = 12
"""Warm processes kept of all functions together."""
RESPONSE_LIMIT: Final = 6_291_556
"""Bytes of an answer."""

CONTENTION_SECONDS: Final = 900.0
_CLOSING_SECONDS: Final = 5.0


class ThrottledError(LocalCloudError):
    """More invocations at once than the function's reserved concurrency."""


@dataclass(slots=True)
class _Idle:
    key: str
    stream: str
    process: FunctionProcess


class Runner:
    """The processes of all functions. ``folder`` is its own; ``endpoint`` is where functions reach the local cloud.

    ``credentials`` gives the environment variables with a session of a role in a region.
    """

    def __init__(
        self, folder: Path, endpoint: str, clock: VirtualClock, credentials: Callable[[str, str], dict[str, str]]
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._clock = clock
        self._credentials = credentials
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._idle: list[_Idle] = []
        self._slots: dict[str, threading.Semaphore] = {}
        self._running: dict[str, int] = {}
        self._numbers = itertools.count()
        self._at_work: list[tuple[str, FunctionProcess]] = []
        self._access_keys: dict[str, str] = {}
        self._closed = False

    def invoke(self, function: Function, payload: str, reserved: int | None = None) -> tuple[Invocation, str]:
        """Run a function on a JSON payload; returns what came of it and the log stream its lines belong to.

        Raises ThrottledError above ``reserved`` invocations at once, LocalCloudError where it cannot run here at all.
        """
        if not function.runtime.startswith("python3"):
            raise LocalCloudError(
                f"the local cloud cannot run {function.name}: "
                f"its runtime is {function.runtime}, and only Python runs here"
            )
        with self._lock:
            if reserved is not None and self._running.get(function.arn, 0) >= reserved:
                raise ThrottledError("Rate Exceeded.")
            self._running[function.arn] = self._running.get(function.arn, 0) + 1
            slot = self._slots.setdefault(function.arn, threading.Semaphore(PROCESSES_PER_FUNCTION))
        try:
            if not slot.acquire(timeout=CONTENTION_SECONDS):
                raise ThrottledError("Rate Exceeded.")
            try:
                return self._run(function, payload)
            finally:
                slot.release()
        finally:
            with self._ended:
                self._running[function.arn] -= 1
                self._ended.notify_all()

    def _run(self, function: Function, payload: str) -> tuple[Invocation, str]:
        request_id = str(uuid.uuid4())
        holder = self._take(function)
        call = {
            "id": request_id,
            "arn": function.arn,
            "payload": payload,
            "seconds": function.timeout_seconds,
            "offset_ms": self._clock.offset_ms,
        }
        start = time.monotonic()
        with self._working(function, holder.process):
            answer = holder.process.invoke(call, function.timeout_seconds)
        duration_ms = (time.monotonic() - start) * 1_000
        result, error = self._outcome(function, request_id, answer)
        body = holder.process.log()
        if answer is None:
            seconds = f"{function.timeout_seconds:.2f} seconds"
            body += f"{iso(self._clock.now_ms())} {request_id} Task timed out after {seconds}\n"
        log = (
            f"START RequestId: {request_id} Version: {function.version}\n{body}END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tMemory Size: {function.memory_mb} MB\n"
        )
        self._give_back(holder)
        return Invocation(request_id, result, error, log, duration_ms), holder.stream

    @contextmanager
    def _working(self, function: Function, process: FunctionProcess) -> Iterator[None]:
        entry = (function.name, process)
        with self._lock:
            self._at_work.append(entry)
            if self._closed:
                process.expire()
        try:
            yield
        finally:
            with self._lock:
                self._at_work.remove(entry)

    def expire(self, name: str) -> None:
        """End what a function is doing, as its timeout does; raises LocalCloudError where it does nothing."""
        with self._lock:
            found = [process for working, process in self._at_work if working == name]
            for process in found:
                process.expire()
        if not found:
            raise LocalCloudError(f"no invocation of {name} is under way, so none can time out")

    def _outcome(self, function: Function, request_id: str, answer: dict[str, Any] | None) -> tuple[str, str | None]:
        """The payload of the response, and ``Unhandled`` where it is an error."""
        if answer is None:
            message = f"RequestId: {request_id} Error: Task timed out after {function.timeout_seconds:.2f} seconds"
            return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}), "Unhandled"
        if "exit" in answer:
            message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {answer['exit']}"
            return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}), "Unhandled"
        if "error" in answer:
            return json.dumps(answer["error"]), "Unhandled"
        result: str = answer["result"]
        if len(result) > RESPONSE_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            return json.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}), "Unhandled"
        return result, None

    def _take(self, function: Function) -> _Idle:
        key = f"{function.arn}|{function.fingerprint}"
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position].key == key:
                    return self._idle.pop(position)
            number = next(self._numbers)
            code = unpacked(function.code, function.fingerprint, self._folder)
            runtime = provided(self._folder)
        date = iso(self._clock.now_ms())[:10].replace("-", "/")
        stream = f"{date}/[{function.version}]{uuid.uuid4().hex}"
        log = self._folder / f"log-{number}"
        environment = self._environment(function, code, stream)
        return _Idle(key, stream, FunctionProcess(function.handler, environment, code, runtime, log))

    def function_of(self, access_key: str) -> str | None:
        """The name of the function that has an access key."""
        return self._access_keys.get(access_key)

    def _environment(self, function: Function, code: Path, stream: str) -> dict[str, str]:
        credentials = self._credentials(function.role_arn, function.region)
        self._access_keys[credentials["AWS_ACCESS_KEY_ID"]] = function.name
        return {
            **function.environment,
            **credentials,
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(code),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }

    def _give_back(self, holder: _Idle) -> None:
        with self._lock:
            ended = []
            if holder.process.lost or self._closed:
                ended.append(holder)
            else:
                self._idle.append(holder)
            if len(self._idle) > IDLE_PROCESSES:
                ended.append(self._idle.pop(0))
        for each in ended:
            each.process.close()

    def close(self) -> None:
        """End every process, those too that are at work, and wait until nobody needs their files any more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for _, process in self._at_work:
                process.expire()
            self._ended.wait_for(lambda: not any(self._running.values()), _CLOSING_SECONDS)
        for each in idle:
            each.process.close()

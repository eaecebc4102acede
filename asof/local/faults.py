"""Faults on purpose, for tests: throttling, partial answers, queries that fail, and a process that dies anywhere.

Two tools. :class:`Faults` belongs to a running local cloud and answers chosen requests with AWS's own errors, below
botocore's retries, so every client meets them. :class:`CrashPlan` watches the clients of one session, numbers each
call that changes something, and kills the caller before or after a chosen one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from unittest.mock import patch

from asof.local.athena.errors import QueryFailedError
from asof.local.athena.model import QueryRequest

When = Literal["before", "after"]

_READS: Final = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "TransactGet", "Search", "Assume")
"""Operations that begin so change nothing; anything else counts as a side effect."""

_THROTTLES: Final = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "athena": ("TooManyRequestsException", 400),
    "glue": ("ThrottlingException", 400),
}


class Killed(BaseException):
    """The process died here. Not an Exception, so that no ``except Exception`` survives it."""


class CrashPlan:
    """Numbers the calls that change something, from 1, and kills at one of them.

    ``kill_at`` is the call to die at (None only counts); ``when`` is before it takes effect or after. The dead stay
    dead: later calls raise Killed too, whoever makes them, so that clean-up in ``finally`` changes nothing. Attach it
    to a session before its clients are made, or to clients.
    """

    def __init__(self, *, kill_at: int | None = None, when: When = "before") -> None:
        self.kill_at = kill_at
        self.when = when
        self.dead = False
        self.calls: list[str] = []
        self._lock = threading.Lock()

    def attach(self, target: Any) -> CrashPlan:
        """Watch a ``boto3.Session`` (clients made from now on) or a client; returns the plan."""
        events = target.meta.events if hasattr(target, "meta") else target.events
        events.register("before-call", self._before)
        events.register("after-call", self._after)
        return self

    def _before(self, *, model: Any, context: dict[str, Any], **_: object) -> None:
        if model.name.startswith(_READS):
            if self.dead:
                raise Killed(f"before {model.name}: this process is dead")
            return
        with self._lock:
            if not self.dead:
                self.calls.append(f"{model.service_model.service_name}.{model.name}")
                context["asof_call_number"] = len(self.calls)
                self.dead = self.when == "before" and len(self.calls) == self.kill_at
            if self.dead:
                raise Killed(f"before call {len(self.calls)}, {model.name}")

    def _after(self, *, model: Any, context: dict[str, Any], **_: object) -> None:
        if self.kill_at is not None and context.get("asof_call_number") == self.kill_at:
            self.dead = True
            raise Killed(f"after call {self.kill_at}, {model.name}")


def crash_plans(calls: int) -> Iterator[CrashPlan]:
    """A plan for each place to die in a run of that many calls: before and after every one."""
    for number in range(1, calls + 1):
        yield CrashPlan(kill_at=number, when="before")
        yield CrashPlan(kill_at=number, when="after")


@dataclass(slots=True)
class _Fault:
    """What to do to which requests: after ``skip`` of them, the next ``times``."""

    service: str
    operation: str
    skip: int
    times: int
    act: Callable[[Any, Callable[[Any], Any]], Any]

    def due(self, service: str, operation: str) -> bool:
        """Whether this request is one to act on; counts it."""
        if self.service != service or self.operation not in (operation, "*") or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class _QueryFault:
    """A query to be failed: the first that is left after ``skip`` among those whose SQL contains ``containing``."""

    containing: str
    skip: int
    times: int
    when: When
    error: QueryFailedError


@dataclass(slots=True)
class Faults:
    """The faults of one local cloud; see ``LocalCloud.faults``. ``skip`` and ``times`` count matching requests."""

    _requests: list[_Fault] = field(default_factory=list)
    _queries: list[_QueryFault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        """Forget every fault that has not happened yet."""
        with self._lock:
            self._requests.clear()
            self._queries.clear()

    def throttle(
        self, service: str, operation: str = "*", *, skip: int = 0, times: int = 1, code: str | None = None
    ) -> None:
        """Refuse requests as AWS does when there are too many; ``operation`` is its API name or ``*``.

        botocore retries some of these by itself before its caller sees any. ``code`` replaces the usual error code.
        """
        usual, status = _THROTTLES.get(service, ("ThrottlingException", 400))
        self.error(service, operation, code or usual, status=status, skip=skip, times=times)

    def error(
        self, service: str, operation: str, code: str, *, status: int = 400, skip: int = 0, times: int = 1
    ) -> None:
        """Answer requests with an error; nothing happens in the cloud."""

        def act(_: Any, __: Callable[[Any], Any]) -> Any:
            message = "injected by the local cloud"
            if service == "s3":
                body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            else:
                body = json.dumps({"__type": code, "message": message, "Message": message})
            return _response(status, body.encode())

        self._add(_Fault(service, operation, skip, times, act))

    def lose_answer(self, service: str, operation: str, *, skip: int = 0, times: int = 1) -> None:
        """Let requests take effect and lose the answer on the way: the client sees a server error (500)."""

        def act(request: Any, forward: Callable[[Any], Any]) -> Any:
            forward(request)
            body = b"<Error><Code>InternalError</Code></Error>" if service == "s3" else b'{"__type": "InternalError"}'
            return _response(500, body)

        self._add(_Fault(service, operation, skip, times, act))

    def unprocessed_keys(self, keep: int, *, skip: int = 0, times: int = 1) -> None:
        """Let ``BatchGetItem`` read only the first ``keep`` keys of a request and hand the others back unprocessed."""

        def act(request: Any, forward: Callable[[Any], Any]) -> Any:
            asked = json.loads(request.body)["RequestItems"]
            taken, left, room = {}, {}, keep
            for table, wanted in asked.items():
                keys = wanted["Keys"]
                if keys[:room]:
                    taken[table] = {**wanted, "Keys": keys[:room]}
                if keys[room:]:
                    left[table] = {**wanted, "Keys": keys[room:]}
                room = max(room - len(keys), 0)
            answer: dict[str, Any] = {"Responses": {}}
            if taken:
                original = request.body
                request.body = json.dumps({**json.loads(original), "RequestItems": taken}).encode()
                answer = json.loads(forward(request).content)
                request.body = original
            return _response(200, json.dumps({**answer, "UnprocessedKeys": left}).encode())

        self._add(_Fault("dynamodb", "BatchGetItem", skip, times, act))

    def fail_query(
        self,
        *,
        containing: str = "",
        skip: int = 0,
        times: int = 1,
        when: When = "before",
        code: str = "GENERIC_INTERNAL_ERROR",
        message: str = "injected by the local cloud",
    ) -> None:
        """Let accepted Athena queries end FAILED, before doing anything or after they wrote (orphans stay)."""
        error = QueryFailedError(code, message, category=1, retryable=True)
        with self._lock:
            self._queries.append(_QueryFault(containing, skip, times, when, error))

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._requests.append(fault)

    def around_query(self, request: QueryRequest, run: Callable[[], None]) -> None:
        """Run a query, or fail it: the hook of ``AthenaService``."""
        fault = self._due_query(request.sql)
        if fault is None:
            run()
            return
        if fault.when == "after":
            run()
        raise fault.error

    def _due_query(self, sql: str) -> _QueryFault | None:
        with self._lock:
            for fault in self._queries:
                if fault.containing not in sql or not fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While inside, requests that moto intercepts in-process meet the faults."""
        from moto.core.botocore_stubber import BotocoreStubber

        original = BotocoreStubber.__call__

        def answer(stubber: Any, event_name: str, request: Any, **rest: Any) -> Any:
            def forward(changed: Any) -> Any:
                return original(stubber, event_name, changed, **rest)

            _, service, operation = event_name.split(".", 2)
            with self._lock:
                fault = next((each for each in self._requests if each.due(service, operation)), None)
            return forward(request) if fault is None else fault.act(request, forward)

        with patch.object(BotocoreStubber, "__call__", answer):
            yield


def _response(status: int, body: bytes) -> Any:
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from moto.core.botocore_stubber import MockRawResponse

    headers = HTTPHeaders()
    headers["x-amzn-requestid"] = "local"
    return AWSResponse("https://local", status, headers, MockRawResponse(body))

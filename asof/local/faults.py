"""Faults on purpose, for tests: throttling, partial answers, queries that fail, and a process that dies anywhere.

Two tools. :class:`Faults` belongs to a running local cloud and answers chosen requests with AWS's own errors, where
they arrive, so every client meets them. :class:`CrashPlan` watches the clients of one session, numbers each call that
changes something, and kills the caller before or after a chosen one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from unittest.mock import patch

from asof.errors import LocalCloudError
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

_XML: Final = frozenset({"s3", "sns", "sts", "cloudformation"})
"""Services that speak XML; the others speak JSON."""


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is answered instead of what its service would have said."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks of a service, and the function it runs in, if any."""

    service: str
    operation: str
    body: bytes
    function: str | None = None


Forward = Callable[[bytes], bytes]
"""Lets a request, with this body, take effect; gives the body of the service's own answer."""


@dataclass(slots=True)
class _Turns:
    """After ``skip`` of those that match, the next ``times`` have their turn."""

    skip: int
    times: int

    def next(self) -> bool:
        """Whether this one's turn has come; counts it."""
        if not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class _Fault(_Turns):
    """What to do to which requests."""

    service: str
    operation: str
    containing: bytes
    act: Callable[[bytes, Forward], Answer]
    function: str | None = None

    def due(self, request: Request) -> bool:
        """Whether this request is one to act on; counts it."""
        meant = self.service == request.service and self.operation in (request.operation, "*")
        meant = meant and self.function in (None, request.function)
        return meant and self.containing in request.body and self.next()


@dataclass(slots=True)
class _QueryFault(_Turns):
    """A query to be failed, by a part of its SQL."""

    containing: str
    when: When
    error: QueryFailedError


@dataclass(slots=True)
class _Stop(_Turns):
    """A state to be stopped at."""

    state: str
    when: When


def _no_function(_access_key: str) -> str | None:
    return None


def _no_functions(function: str) -> None:
    raise LocalCloudError(f"only the local cloud's server runs functions, so {function} cannot time out here")


@dataclass(slots=True)
class Faults:
    """The faults of one local cloud; see ``LocalCloud.faults`` and ``LocalServer.faults``.

    ``skip`` and ``times`` count matching requests. ``service`` is AWS's name for it in addresses (``dynamodb``).
    """

    _requests: list[_Fault] = field(default_factory=list)
    _queries: list[_QueryFault] = field(default_factory=list)
    _stops: list[_Stop] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    expire: Callable[[str], None] = _no_functions
    """Ends a function's processes as its timeout does; the server that runs functions sets it."""
    function_of: Callable[[str], str | None] = _no_function
    """The function that an access key was given to; the same."""

    def clear(self) -> None:
        """Forget every fault that has not happened yet."""
        with self._lock:
            self._requests.clear()
            self._queries.clear()
            self._stops.clear()

    @property
    def pending(self) -> int:
        """How many are still to happen: a test whose fault never came about has tested nothing."""
        with self._lock:
            turns: list[_Turns] = [*self._requests, *self._queries, *self._stops]
            return sum(each.times for each in turns)

    def throttle(
        self,
        service: str,
        operation: str = "*",
        *,
        containing: str = "",
        skip: int = 0,
        times: int = 1,
        code: str | None = None,
    ) -> None:
        """Refuse requests as AWS does when there are too many; ``operation`` is its API name or ``*``.

        botocore retries some of these by itself before its caller sees any. ``code`` replaces the usual error code.
        ``containing`` is a text in the request's body.
        """
        usual, status = _THROTTLES.get(service, ("ThrottlingException", 400))
        self.error(service, operation, code or usual, status=status, containing=containing, skip=skip, times=times)

    def error(
        self,
        service: str,
        operation: str,
        code: str,
        *,
        status: int = 400,
        containing: str = "",
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Answer requests with an error; nothing happens in the cloud."""
        answer = _refusal(service, status, code)
        self._add(_Fault(skip, times, service, operation, containing.encode(), lambda _body, _forward: answer))

    def lose_answer(self, service: str, operation: str, *, containing: str = "", skip: int = 0, times: int = 1) -> None:
        """Let requests take effect and lose the answer on the way: the client sees a server error (500)."""
        answer = _refusal(service, 500, "InternalError")

        def act(body: bytes, forward: Forward) -> Answer:
            forward(body)
            return answer

        self._add(_Fault(skip, times, service, operation, containing.encode(), act))

    def time_out(
        self,
        function: str,
        service: str,
        operation: str,
        *,
        when: When = "before",
        containing: str = "",
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Let a function run out of its time in the midst of a request of its own, before that takes effect or after.

        Its process is killed there, and whoever invoked it is told what Lambda says of a timeout.
        """

        def act(body: bytes, forward: Forward) -> Answer:
            if when == "after":
                forward(body)
            self.expire(function)
            return _refusal(service, 500, "NobodyListens")

        self._add(_Fault(skip, times, service, operation, containing.encode(), act, function))

    def unprocessed_keys(self, keep: int, *, skip: int = 0, times: int = 1) -> None:
        """Let ``BatchGetItem`` read only the first ``keep`` keys of a request and hand the others back unprocessed."""

        def act(body: bytes, forward: Forward) -> Answer:
            asked = json.loads(body)
            taken, left, room = {}, {}, keep
            for table, wanted in asked["RequestItems"].items():
                keys = wanted["Keys"]
                if keys[:room]:
                    taken[table] = {**wanted, "Keys": keys[:room]}
                if keys[room:]:
                    left[table] = {**wanted, "Keys": keys[room:]}
                room = max(room - len(keys), 0)
            answer: dict[str, Any] = {"Responses": {}}
            if taken:
                answer = json.loads(forward(json.dumps({**asked, "RequestItems": taken}).encode()))
            return Answer(200, json.dumps({**answer, "UnprocessedKeys": left}).encode())

        self._add(_Fault(skip, times, "dynamodb", "BatchGetItem", b"", act))

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
            self._queries.append(_QueryFault(skip, times, containing, when, error))

    def stop_execution(self, state: str, *, when: When = "before", skip: int = 0, times: int = 1) -> None:
        """Stop executions of state machines at a state: when it was entered, or when it was left.

        As on AWS, the work of a state that was entered goes on, and nobody hears of its end.
        """
        with self._lock:
            self._stops.append(_Stop(skip, times, state, when))

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._requests.append(fault)

    def around_request(self, request: Request, forward: Forward) -> Answer | None:
        """Answer a request in its service's place; None where the service is to answer."""
        with self._lock:
            fault = next((each for each in self._requests if each.due(request)), None)
        return None if fault is None else fault.act(request.body, forward)

    def around_query(self, request: QueryRequest, run: Callable[[], None]) -> None:
        """Run a query, or fail it: the hook of ``AthenaService``."""
        with self._lock:
            fault = next((each for each in self._queries if each.containing in request.sql and each.next()), None)
        if fault is None:
            run()
            return
        if fault.when == "after":
            run()
        raise fault.error

    def stops_at(self, state: str, when: When) -> bool:
        """Whether an execution is to be stopped here: the hook of the state machines."""
        with self._lock:
            return any((each.state, each.when) == (state, when) and each.next() for each in self._stops)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While inside, requests that moto intercepts in-process meet the faults."""
        from moto.core.botocore_stubber import BotocoreStubber

        original = BotocoreStubber.__call__

        def answer(stubber: Any, event_name: str, request: Any, **rest: Any) -> Any:
            body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()

            def forward(changed: bytes) -> bytes:
                kept = request.body
                request.body = kept if changed == body else changed
                answered: Any = original(stubber, event_name, request, **rest)
                request.body = kept
                return bytes(answered.content)

            _, service, operation = event_name.split(".", 2)
            instead = self.around_request(Request(service, operation, body), forward)
            return original(stubber, event_name, request, **rest) if instead is None else _response(instead)

        with patch.object(BotocoreStubber, "__call__", answer):
            yield


def _refusal(service: str, status: int, code: str) -> Answer:
    message = "injected by the local cloud"
    if service in _XML:
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        body = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    else:
        body = json.dumps({"__type": code, "message": message, "Message": message})
    return Answer(status, body.encode())


def _response(answer: Answer) -> Any:
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders
    from moto.core.botocore_stubber import MockRawResponse

    headers = HTTPHeaders()
    headers["x-amzn-requestid"] = "local"
    return AWSResponse("https://local", answer.status, headers, MockRawResponse(answer.body))

"""Who called what: the actions that each role used, to be compared with what it may do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Call:
    """An action (``dynamodb:GetItem``) in the name of a role; ``role_arn`` is None for everybody else.

    ``resource`` is the ARN of a bucket or an object for S3, and ``*`` for other services.
    """

    role_arn: str | None
    action: str
    resource: str


class AccessLog:
    """Counts calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[Call] = Counter()

    def add(self, call: Call) -> None:
        """Take note of a call."""
        with self._lock:
            self._calls[call] += 1

    def calls(self, role_arn: str | None = None) -> dict[Call, int]:
        """How often each call was made, by one role or by all."""
        with self._lock:
            return {call: count for call, count in self._calls.items() if role_arn in (None, call.role_arn)}


@contextmanager
def installed(log: AccessLog) -> Iterator[None]:
    """While inside, every call that moto answers is noted."""
    from moto.core.authorization import ActionAuthenticatorMixin

    original = ActionAuthenticatorMixin._authenticate_and_authorize_action  # noqa: SLF001 # what is replaced

    def noted(response: Any, iam_request_cls: type, resource: str = "*") -> None:
        action = response._get_action()  # noqa: SLF001 # moto's own way
        if action:
            service = response.service_name or "unknown"
            named = f"{_PREFIXES.get(service, service)}:{action}"
            log.add(Call(_role(response), _ACTIONS.get(named, named), resource))
        original(response, iam_request_cls, resource)

    with patch.object(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", noted):
        yield


_PREFIXES = {"stepfunctions": "states", "awslambda": "lambda"}
"""Services that policies name otherwise."""

_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
"""Calls whose action policies name otherwise."""


def _role(response: Any) -> str | None:
    from moto.sts.models import sts_backends

    backend = sts_backends[response.current_account]["aws"]
    assumed = backend.get_assumed_role_from_access_key(response.access_key)
    return None if assumed is None else str(assumed.role_arn)

"""The data of functions and invocations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """A version of a function as deployed. ``fingerprint`` changes with anything that needs a new process."""

    arn: str
    name: str
    version: str
    account: str
    region: str
    handler: str
    runtime: str
    role_arn: str
    timeout_seconds: float
    memory_mb: int
    log_group: str
    environment: Mapping[str, str]
    code: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """What an invocation came to: its result or error as JSON, Lambda's word for the error, and its log."""

    request_id: str
    payload: str
    error: str | None
    log: str
    duration_ms: float

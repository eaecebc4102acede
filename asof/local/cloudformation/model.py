"""The data of stacks: resources as deployed, events, change sets. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from asof.local.cloudformation.template import EMPTY, Template

STACK_TYPE: Final = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class StackResource:
    """A resource that exists. ``properties`` are resolved; ``definition`` is the template's."""

    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]
    definition: Mapping[str, Any]
    generation: int
    status: str
    changed_ms: int

    @property
    def kept_when_deleted(self) -> bool:
        """Whether it stays when it leaves the stack."""
        return self.definition.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")

    @property
    def kept_when_replaced(self) -> bool:
        """Whether it stays when another takes its place."""
        return self.definition.get("UpdateReplacePolicy") == "Retain"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a stack's history."""

    id: str
    at_ms: int
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A stack's output, and the name under which other stacks may import it."""

    key: str
    value: str
    description: str | None = None
    export: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a stack is to become."""

    template: Template = EMPTY
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    disable_rollback: bool = False
    notification_arns: tuple[str, ...] = ()


@dataclass(slots=True)
class Stack:
    """A stack; only its service and the operation at work change it."""

    id: str
    name: str
    created_ms: int
    status: str
    request: Request = field(default_factory=Request)
    reason: str | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    updated_ms: int | None = None
    deleted_ms: int | None = None
    termination_protection: bool = False

    @property
    def busy(self) -> bool:
        """Whether an operation is at work."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a change set."""

    action: str
    logical_id: str
    type: str
    physical_id: str | None = None
    replacement: str | None = None


@dataclass(slots=True)
class ChangeSet:
    """A request with what it would change; ``status`` FAILED carries its reason."""

    id: str
    name: str
    stack: Stack
    kind: str
    request: Request
    changes: tuple[Change, ...]
    created_ms: int
    status: str = "CREATE_COMPLETE"
    execution_status: str = "AVAILABLE"
    reason: str | None = None
    description: str | None = None

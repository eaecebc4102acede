"""What happens to a stack from the start of an operation to its end: success, rollback, or a rollback that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from asof.clock import Clock
from asof.local.cloudformation.deployment import FAILURES, Deployment, reason
from asof.local.cloudformation.expressions import Expressions
from asof.local.cloudformation.model import Output, Request, Stack


@dataclass(frozen=True, slots=True)
class Work:
    """What an operation works on and with; ``outputs`` evaluates the outputs when all resources are there."""

    stack: Stack
    deployment: Deployment
    request: Request
    expressions: Expressions
    outputs: Callable[[], list[Output]]
    clock: Clock


def create(work: Work) -> None:
    """Create a stack's resources; where one fails, delete again what was made (unless the request says to leave it)."""
    stack, deployment, request = work.stack, work.deployment, work.request
    stack.request = request
    try:
        deployment.apply(request, work.expressions)
        stack.outputs = work.outputs()
        deployment.event("CREATE_COMPLETE")
    except FAILURES as error:
        if request.disable_rollback:
            deployment.event("CREATE_FAILED", reason=reason(error))
            return
        deployment.event("ROLLBACK_IN_PROGRESS", reason=f"{reason(error)}Rollback requested by user.")
        failed = deployment.roll_back()
        stack.updated_ms = work.clock.now_ms()
        _ended(deployment, "ROLLBACK", failed)


def update(work: Work) -> None:
    """Change a stack; where something fails, undo every change so that the old one goes on serving."""
    stack, deployment, request = work.stack, work.deployment, work.request
    before = replace(stack, resources=dict(stack.resources))
    stack.request = request
    try:
        deployment.apply(request, work.expressions)
        stack.outputs = work.outputs()
    except FAILURES as error:
        stack.request, stack.outputs = before.request, before.outputs
        if request.disable_rollback:
            deployment.event("UPDATE_FAILED", reason=reason(error))
            return
        deployment.event("UPDATE_ROLLBACK_IN_PROGRESS", reason=reason(error))
        failed = deployment.roll_back()
        stack.updated_ms = work.clock.now_ms()
        _ended(deployment, "UPDATE_ROLLBACK", failed)
        return
    deployment.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    deployment.clean_up()
    stack.updated_ms = work.clock.now_ms()
    deployment.event("UPDATE_COMPLETE")


def _ended(deployment: Deployment, kind: str, failed: list[str]) -> None:
    if failed:
        deployment.event(f"{kind}_FAILED", reason=f"The following resource(s) failed: [{', '.join(failed)}]. ")
    else:
        deployment.event(f"{kind}_COMPLETE")


def delete(stack: Stack, deployment: Deployment, keep: frozenset[str], clock: Clock) -> None:
    """Delete a stack's resources, except those that are to be kept."""
    deployment.event("DELETE_IN_PROGRESS", reason="User Initiated")
    failed = deployment.delete_all(keep)
    stack.deleted_ms = clock.now_ms()
    if failed:
        deployment.event("DELETE_FAILED", reason=f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
    else:
        stack.outputs = []
        deployment.event("DELETE_COMPLETE")

"""One operation on a stack: bring its resources to what a request says, or back to what they were."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from asof.clock import Clock
from asof.errors import AsofError
from asof.local.cloudformation.errors import ResourceFailedError
from asof.local.cloudformation.expressions import Expressions
from asof.local.cloudformation.model import STACK_TYPE, Event, Request, Stack, StackResource
from asof.local.cloudformation.provider import Context, Deployed, Properties, ResourceType
from asof.local.cloudformation.references import ordered
from asof.local.cloudformation.template import Template

FAILURES = (AsofError, ClientError, BotoCoreError, LookupError, TypeError, ValueError, AttributeError, OSError)
"""What creating a resource may raise: refusals, AWS errors, and properties of a shape its type does not expect."""

ContextOf = Callable[[Stack, str, str, int], Context]
"""Stack, logical id, type and generation to the context of that resource."""


class Deployment:
    """Changes one stack's resources and remembers how to undo each change.

    ``types`` gives a type by its name. The stack is changed as the work proceeds; only one deployment may be at work.
    """

    def __init__(self, stack: Stack, context: ContextOf, types: Callable[[str], ResourceType], clock: Clock) -> None:
        self._stack = stack
        self._context = context
        self._types = types
        self._clock = clock
        self._restore: list[tuple[str, Callable[[], None]]] = []
        self._discard: list[tuple[str, Callable[[], None]]] = []
        self._obsolete: list[StackResource] = []

    def event(self, status: str, resource: StackResource | None = None, reason: str | None = None) -> None:
        """Add a line to the stack's history; without a resource it is about the stack and becomes its status."""
        stack = self._stack
        if resource is None:
            stack.status, stack.reason = status, reason
            subject = (stack.name, stack.id, STACK_TYPE)
        else:
            subject = (resource.logical_id, resource.physical_id, resource.type)
        stack.events.append(Event(str(uuid.uuid4()), self._clock.now_ms(), *subject, status, reason))

    def apply(self, request: Request, expressions: Expressions) -> None:
        """Create and update what the request's template has, in order; raises ResourceFailedError at the first failure.

        What the template has no more stays until :meth:`clean_up`.
        """
        wanted = present(request.template, expressions)
        for logical_id in ordered(wanted):
            definition = wanted[logical_id]
            try:
                properties = expressions.resolve(definition.get("Properties") or {})
                self._apply_one(logical_id, definition, properties)
            except FAILURES as error:
                self._failed(logical_id, definition, error)
                raise ResourceFailedError(f"The following resource(s) failed: [{logical_id}]. ") from error
        for logical_id in list(self._stack.resources):
            if logical_id not in wanted:
                gone = self._stack.resources.pop(logical_id)
                self._restore.append((logical_id, lambda gone=gone: self._put(gone)))  # type: ignore[misc] # a default
                self._obsolete.append(gone)

    def _apply_one(self, logical_id: str, definition: Mapping[str, Any], properties: Properties) -> None:
        old = self._stack.resources.get(logical_id)
        kind = self._types(definition["Type"])
        unknown = kind.unknown(properties)
        if unknown:
            raise ResourceFailedError(f"the local cloud cannot do the properties {', '.join(unknown)} of {kind.type}")
        if old is None:
            self._create(logical_id, definition, properties, generation=0)
        elif old.type != definition["Type"] or kind.replaces(old.properties, properties):
            name = kind.name_property
            if (
                old.type == definition["Type"]
                and name
                and name in properties
                and old.properties.get(name) == properties[name]
            ):
                raise ResourceFailedError(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {properties[name]} and update the stack again."
                )
            self._obsolete.append(old)
            self._restore.append((logical_id, lambda: self._put(old)))
            self._create(logical_id, definition, properties, generation=old.generation + 1)
        elif old.properties != properties:
            self._update(old, definition, properties)
        else:
            self._put(replace(old, definition=definition))
            self._restore.append((logical_id, lambda: self._put(old)))

    def _create(self, logical_id: str, definition: Mapping[str, Any], properties: Properties, generation: int) -> None:
        kind = self._types(definition["Type"])
        context = self._context(self._stack, logical_id, definition["Type"], generation)
        draft = StackResource(
            logical_id,
            definition["Type"],
            "",
            properties,
            {},
            definition,
            generation,
            "CREATE_IN_PROGRESS",
            self._clock.now_ms(),
        )
        self.event("CREATE_IN_PROGRESS", draft)
        try:
            deployed = kind.create(context, properties)
        except ResourceFailedError as error:
            if error.physical_id is not None:
                partly = replace(draft, physical_id=error.physical_id)
                self._discard.append((logical_id, lambda: self._remove(partly)))
            raise
        made = self._settled(draft, deployed, definition, properties, "CREATE_COMPLETE")
        self._discard.append((logical_id, lambda: self._undo_create(made)))

    def _update(self, old: StackResource, definition: Mapping[str, Any], properties: Properties) -> None:
        self.event("UPDATE_IN_PROGRESS", old)
        # Undone even where it fails: it may have changed part of what it was to change.
        self._restore.append((old.logical_id, lambda: self._restore_updated(old, properties)))
        context = self._context(self._stack, old.logical_id, old.type, old.generation)
        deployed = self._types(old.type).update(context, old.physical_id, old.properties, properties)
        self._settled(old, deployed, definition, properties, "UPDATE_COMPLETE")
        if deployed.physical_id != old.physical_id:
            self._obsolete.append(old)

    def _settled(
        self,
        draft: StackResource,
        deployed: Deployed,
        definition: Mapping[str, Any],
        properties: Properties,
        status: str,
    ) -> StackResource:
        made = replace(
            draft,
            physical_id=deployed.physical_id,
            attributes=dict(deployed.attributes),
            definition=definition,
            properties=properties,
            status=status,
            changed_ms=self._clock.now_ms(),
        )
        self._put(made)
        self.event(status, made)
        return made

    def _failed(self, logical_id: str, definition: Mapping[str, Any], error: Exception) -> None:
        old = self._stack.resources.get(logical_id)
        status = "UPDATE_FAILED" if old else "CREATE_FAILED"
        failed = old or StackResource(
            logical_id, definition["Type"], "", {}, {}, definition, 0, status, self._clock.now_ms()
        )
        self.event(status, failed, reason(error))

    def _put(self, resource: StackResource) -> None:
        self._stack.resources[resource.logical_id] = resource

    def roll_back(self) -> list[str]:
        """Undo every change; returns the logical ids for which that failed.

        As CloudFormation does it: first what was changed is restored, in the order in which it was changed, so that a
        custom resource is restored by its restored function; then what was created is deleted, the latest first.
        """
        self._obsolete.clear()
        failed = []
        for logical_id, undo in [*self._restore, *reversed(self._discard)]:
            try:
                undo()
            except FAILURES as error:
                failed.append(logical_id)
                resource = self._stack.resources.get(logical_id)
                if resource is not None:
                    self.event("UPDATE_FAILED", resource, reason(error))
        return failed

    def _undo_create(self, made: StackResource) -> None:
        now = self._stack.resources.get(made.logical_id)
        if now is not None and now.generation == made.generation:
            del self._stack.resources[made.logical_id]
        # Only ``RetainExceptOnCreate`` lets a resource go whose creation is rolled back.
        if made.definition.get("DeletionPolicy") != "Retain":
            self._remove(made)

    def _restore_updated(self, old: StackResource, attempted: Properties) -> None:
        now = self._stack.resources.get(old.logical_id, old)
        self.event("UPDATE_IN_PROGRESS", old)
        context = self._context(self._stack, old.logical_id, old.type, old.generation)
        deployed = self._types(old.type).update(context, now.physical_id, attempted, old.properties)
        self._settled(old, deployed, old.definition, old.properties, "UPDATE_COMPLETE")
        if now.physical_id not in (deployed.physical_id, old.physical_id):
            self._remove(now)

    def clean_up(self) -> None:
        """Delete what was replaced or removed, the latest first. A failure is recorded and does not stop the rest."""
        while self._obsolete:
            resource = self._obsolete.pop()
            replaced = resource.logical_id in self._stack.resources
            if resource.kept_when_replaced if replaced else resource.kept_when_deleted:
                self.event("DELETE_SKIPPED", resource)
                continue
            try:
                self._remove(resource)
            except FAILURES as error:
                self.event("DELETE_FAILED", resource, reason(error))

    def delete_all(self, keep: frozenset[str] = frozenset()) -> list[str]:
        """Delete the stack's resources, each before those it needs; returns the logical ids for which that failed."""
        resources = self._stack.resources
        failed: list[str] = []
        for logical_id in reversed(ordered({name: each.definition for name, each in resources.items()})):
            resource = resources[logical_id]
            if resource.kept_when_deleted or logical_id in keep:
                self.event("DELETE_SKIPPED", resource)
                del resources[logical_id]
                continue
            try:
                self._remove(resource)
                del resources[logical_id]
            except FAILURES as error:
                failed.append(logical_id)
                self.event("DELETE_FAILED", resource, reason(error))
        return failed

    def _remove(self, resource: StackResource) -> None:
        self.event("DELETE_IN_PROGRESS", resource)
        context = self._context(self._stack, resource.logical_id, resource.type, resource.generation)
        self._types(resource.type).delete(context, resource.physical_id, resource.properties)
        self.event("DELETE_COMPLETE", resource)


def present(template: Template, expressions: Expressions) -> dict[str, Mapping[str, Any]]:
    """The resources of a template whose condition holds."""
    return {
        logical_id: definition
        for logical_id, definition in template.resources.items()
        if "Condition" not in definition or expressions.condition(definition["Condition"])
    }


def reason(error: Exception) -> str:
    """What failed, as a stack's events say it."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        return f"{message} (Service call: {error.operation_name}, Error Code: {code})"
    if isinstance(error, AsofError):
        return str(error)
    return f"{type(error).__name__}: {error}"

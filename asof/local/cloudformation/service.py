"""CloudFormation's API of one account and region: stacks, change sets, exports. Requests arrive elsewhere."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from asof.clock import Clock
from asof.local.cloudformation.changes import changes
from asof.local.cloudformation.deployment import ContextOf, Deployment
from asof.local.cloudformation.errors import ResourceFailedError, ValidationError
from asof.local.cloudformation.expressions import Expressions, World
from asof.local.cloudformation.model import ChangeSet, Output, Request, Stack
from asof.local.cloudformation.operations import Work, create, delete, update
from asof.local.cloudformation.parameters import resolved
from asof.local.cloudformation.provider import ResourceType
from asof.local.cloudformation.references import names, ordered

PATIENCE_SECONDS: Final = 20.0
"""How long a call waits for the operation it started; most end sooner, and clients then need not poll."""


class CloudFormationService:
    """The stacks of one account and region.

    ``types`` gives a resource type by name, or None; ``context`` where a resource lives; ``ssm`` the value of a
    parameter; ``template_text`` the template at an S3 address.
    """

    def __init__(
        self,
        account: str,
        region: str,
        *,
        types: Callable[[str], ResourceType | None],
        context: ContextOf,
        ssm: Callable[[str], str],
        template_text: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._account = account
        self._region = region
        self._types = types
        self._context = context
        self._ssm = ssm
        self.template_text = template_text
        self._clock = clock
        self._lock = threading.RLock()
        self.stacks: dict[str, Stack] = {}
        self.change_sets: dict[str, ChangeSet] = {}

    # Looking

    def stack(self, name_or_id: str) -> Stack:
        """A stack by name, or by id, which finds deleted ones too; raises ValidationError where there is none."""
        for stack in reversed(self.stacks.values()):
            if stack.id == name_or_id or (stack.name == name_or_id and stack.status != "DELETE_COMPLETE"):
                return stack
        raise ValidationError(f"Stack with id {name_or_id} does not exist")

    def find(self, name: str) -> Stack | None:
        """The stack of that name, or None."""
        try:
            return self.stack(name)
        except ValidationError:
            return None

    def change_set(self, name_or_id: str, stack: str | None) -> ChangeSet:
        """A change set by id, or by name and stack; raises ``ChangeSetNotFound``."""
        for each in reversed(self.change_sets.values()):
            if each.id == name_or_id or (each.name == name_or_id and stack in (each.stack.name, each.stack.id)):
                return each
        raise ValidationError(f"ChangeSet [{name_or_id}] does not exist", code="ChangeSetNotFound")

    def exports(self) -> list[tuple[Stack, Output]]:
        """What stacks export."""
        alive = (stack for stack in self.stacks.values() if stack.status != "DELETE_COMPLETE")
        return [(stack, output) for stack in alive for output in stack.outputs if output.export is not None]

    def importing(self, export: str) -> list[Stack]:
        """The stacks that import an export."""
        return [
            stack
            for stack in self.stacks.values()
            if stack.status != "DELETE_COMPLETE" and export in self._imports(stack)
        ]

    def _imports(self, stack: Stack) -> set[str]:
        found: set[str] = set()

        def exported(name: str) -> str:
            found.add(name)
            return ""

        world = World(lambda _: "", lambda _name, _attribute: "", exported, lambda _: "")
        expressions = Expressions(stack.request.template, self._pseudo(stack), world)
        for resource in stack.resources.values():
            _imported(resource.definition, expressions)
        _imported(stack.request.template.section("Outputs"), expressions)
        return found

    # Changing

    def propose(
        self, name: str, change_set_name: str, kind: str, request: Request, *, description: str | None = None
    ) -> ChangeSet:
        """Create a change set; FAILED, with the reason, where nothing would change or something cannot be done."""
        with self._lock:
            stack = self.find(name)
            if kind == "CREATE":
                if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                    raise ValidationError(
                        f"Stack [{name}] already exists and cannot be created again with the changeSet"
                    )
                stack = stack or self._new(name, "REVIEW_IN_PROGRESS")
            elif kind != "UPDATE":
                raise ValidationError(
                    f"the local cloud cannot make a change set of type {kind}: only CREATE and UPDATE"
                )
            elif stack is None:
                raise ValidationError(f"Stack [{name}] does not exist")
            unique = uuid.uuid4()
            change_set = ChangeSet(
                id=f"arn:aws:cloudformation:{self._region}:{self._account}:changeSet/{change_set_name}/{unique}",
                name=change_set_name,
                stack=stack,
                kind=kind,
                request=request,
                changes=changes(stack, request, self.expressions(stack, request), self._types),
                created_ms=self._clock.now_ms(),
                description=description,
            )
            refusal = self._refusal(stack, request)
            if refusal is None and not change_set.changes and self._same_outputs(stack, request):
                refusal = (
                    "The submitted information didn't contain changes. "
                    "Submit different information to create a change set."
                )
            if refusal is not None:
                change_set.status, change_set.execution_status, change_set.reason = "FAILED", "UNAVAILABLE", refusal
            self.change_sets[change_set.id] = change_set
            return change_set

    def execute(self, change_set: ChangeSet) -> None:
        """Carry a change set out; returns when it is done or after :data:`PATIENCE_SECONDS`."""
        with self._lock:
            if change_set.execution_status != "AVAILABLE":
                raise ValidationError(
                    f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]",
                    code="InvalidChangeSetStatus",
                )
            change_set.execution_status = "EXECUTE_COMPLETE"
            thread = self._start(change_set.stack, change_set.request, first=change_set.kind == "CREATE")
        thread.join(PATIENCE_SECONDS)

    def deploy(self, name: str, request: Request, *, first: bool, protected: bool = False) -> Stack:
        """CreateStack (``first``) or UpdateStack."""
        with self._lock:
            stack = self.find(name)
            if first and stack is not None:
                raise ValidationError(f"Stack [{name}] already exists", code="AlreadyExistsException")
            if stack is None:
                if not first:
                    raise ValidationError(f"Stack [{name}] does not exist")
                stack = Stack(self._new_id(name), name, self._clock.now_ms(), "REVIEW_IN_PROGRESS")
            refusal = self._refusal(stack, request)
            if refusal is not None:
                raise ValidationError(refusal)
            if not first and self._unchanged(stack, request):
                raise ValidationError("No updates are to be performed.")
            self.stacks[stack.id] = stack
            stack.termination_protection = stack.termination_protection or protected
            thread = self._start(stack, request, first=first)
        thread.join(PATIENCE_SECONDS)
        return stack

    def remove(self, name_or_id: str, keep: frozenset[str] = frozenset()) -> None:
        """Delete a stack; one that does not exist is no error. Returns as :meth:`execute` does."""
        with self._lock:
            try:
                stack = self.stack(name_or_id)
            except ValidationError:
                return
            if stack.status == "DELETE_COMPLETE":
                return
            if stack.termination_protection:
                raise ValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
            if stack.busy:
                raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be deleted.")
            for output in stack.outputs:
                users = [each for each in self.importing(output.export or "") if each is not stack]
                if users:
                    in_use = f"Export {output.export} cannot be deleted as it is in use by {users[0].name}"
                    raise ValidationError(in_use)
            deployment = self._deployment(stack)
            thread = self._thread(lambda: delete(stack, deployment, keep, self._clock))
        thread.join(PATIENCE_SECONDS)

    def protect(self, name: str, protected: bool) -> Stack:
        """Turn termination protection on or off."""
        stack = self.stack(name)
        stack.termination_protection = protected
        return stack

    # Inside

    def expressions(self, stack: Stack, request: Request) -> Expressions:
        """What a request's template says, in the stack it is for."""
        values = {**self._pseudo(stack), **resolved(request.template, request.parameters, self._ssm)}
        return Expressions(request.template, values, self._world(stack))

    def _pseudo(self, stack: Stack) -> dict[str, Any]:
        return {
            "AWS::AccountId": self._account,
            "AWS::Region": self._region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::NotificationARNs": [],
        }

    def _world(self, stack: Stack) -> World:
        def reference(name: str) -> str:
            if name not in stack.resources:
                raise ValidationError(f"Template format error: Unresolved resource dependencies [{name}]")
            return stack.resources[name].physical_id

        def attribute(name: str, attribute: str) -> Any:
            if name not in stack.resources:
                raise ValidationError(f"Template format error: Unresolved resource dependencies [{name}]")
            resource = stack.resources[name]
            if attribute not in resource.attributes:
                raise ValidationError(
                    f"Template error: resource {name} ({resource.type}) has no attribute {attribute} in the local cloud"
                )
            return resource.attributes[attribute]

        def exported(name: str) -> str:
            for _, output in self.exports():
                if output.export == name:
                    return output.value
            raise ValidationError(f"No export named {name} found.")

        return World(reference, attribute, exported, self._ssm)

    def _refusal(self, stack: Stack, request: Request) -> str | None:
        if stack.busy or stack.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
            return f"Stack:{stack.id} is in {stack.status} state and can not be updated."
        template = request.template
        ordered(template.resources)
        kinds = {each["Type"] for each in template.resources.values()}
        unknown = sorted(kind for kind in kinds if self._types(kind) is None)
        if unknown:
            return f"Template format error: the local cloud has no resource types {', '.join(unknown)}"
        expressions = self.expressions(stack, request)
        for rule in template.section("Rules").values():
            for each in rule["Assertions"]:
                if not expressions.resolve(each["Assert"]):
                    return f"Template validation error: {each.get('AssertDescription', 'a rule does not hold')}"
        known = {*template.resources, *template.section("Parameters"), *self._pseudo(stack), "AWS::NoValue"}
        missing = sorted(set(names({**template.section("Outputs"), **template.resources})) - known)
        if missing:
            return f"Template format error: Unresolved resource dependencies [{', '.join(missing)}]"
        return None

    def _unchanged(self, stack: Stack, request: Request) -> bool:
        nothing = not changes(stack, request, self.expressions(stack, request), self._types)
        return nothing and self._same_outputs(stack, request)

    def _same_outputs(self, stack: Stack, request: Request) -> bool:
        return stack.request.template.section("Outputs") == request.template.section("Outputs")

    def _new_id(self, name: str) -> str:
        return f"arn:aws:cloudformation:{self._region}:{self._account}:stack/{name}/{uuid.uuid4()}"

    def _new(self, name: str, status: str) -> Stack:
        stack = Stack(self._new_id(name), name, self._clock.now_ms(), status)
        self.stacks[stack.id] = stack
        return stack

    def _deployment(self, stack: Stack) -> Deployment:
        def known(name: str) -> ResourceType:
            found = self._types(name)
            if found is None:
                raise ResourceFailedError(f"the local cloud has no resource type {name}")
            return found

        return Deployment(stack, self._context, known, self._clock)

    def _start(self, stack: Stack, request: Request, *, first: bool) -> threading.Thread:
        deployment = self._deployment(stack)
        expressions = self.expressions(stack, request)
        deployment.event("CREATE_IN_PROGRESS" if first else "UPDATE_IN_PROGRESS", reason="User Initiated")
        operation = create if first else update

        def outputs() -> list[Output]:
            return self._outputs(stack, request, expressions)

        work = Work(stack, deployment, request, expressions, outputs, self._clock)
        return self._thread(lambda: operation(work))

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True, name="asof-cloudformation")
        thread.start()
        return thread

    def _outputs(self, stack: Stack, request: Request, expressions: Expressions) -> list[Output]:
        found = []
        taken = {output.export for owner, output in self.exports() if owner is not stack}
        for key, each in request.template.section("Outputs").items():
            if "Condition" in each and not expressions.condition(each["Condition"]):
                continue
            export = expressions.resolve(each["Export"]["Name"]) if "Export" in each else None
            if export is not None and export in taken:
                raise ResourceFailedError(f"Export with name {export} is already exported by another stack")
            value = str(expressions.resolve(each["Value"]))
            found.append(Output(key, value, each.get("Description"), export))
        lost = {output.export for output in stack.outputs if output.export} - {output.export for output in found}
        for export in sorted(name for name in lost if name):
            users = [each for each in self.importing(export) if each is not stack]
            if users:
                raise ResourceFailedError(f"Cannot delete export {export} as it is in use by {users[0].name}")
        return found


def _imported(value: Any, expressions: Expressions) -> None:
    """Evaluate every Fn::ImportValue in a value."""
    if isinstance(value, list):
        for item in value:
            _imported(item, expressions)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Fn::ImportValue":
                expressions.resolve({key: item})
            else:
                _imported(item, expressions)

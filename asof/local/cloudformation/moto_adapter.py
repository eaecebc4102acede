"""The deploying CloudFormation behind moto's request handling, in place of moto's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from asof.errors import LocalCloudError
from asof.local.cloudformation import answers
from asof.local.cloudformation.errors import ValidationError
from asof.local.cloudformation.model import ChangeSet, Request, Stack
from asof.local.cloudformation.provider import tag_map
from asof.local.cloudformation.service import CloudFormationService
from asof.local.cloudformation.template import Template, parse


class CloudFormation:
    """The services of all accounts and regions asked for; ``make`` makes one."""

    def __init__(self, make: Callable[[str, str], CloudFormationService]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._services: dict[tuple[str, str], CloudFormationService] = {}

    def service(self, account: str, region: str) -> CloudFormationService:
        """The service of an account and region, made when first asked for."""
        with self._lock:
            if (account, region) not in self._services:
                self._services[account, region] = self._make(account, region)
            return self._services[account, region]

    def kept(self) -> dict[tuple[str, str], tuple[dict[str, Stack], dict[str, ChangeSet]]]:
        """The stacks and change sets of each service, to be kept; raises LocalCloudError while one is at work."""
        busy = [stack.name for stack in self.stacks() if stack.busy]
        if busy:
            raise LocalCloudError(f"the local cloud cannot keep stacks that are at work: {', '.join(busy)}")
        return {place: (service.stacks, service.change_sets) for place, service in self._services.items()}

    def restore(self, kept: dict[tuple[str, str], tuple[dict[str, Stack], dict[str, ChangeSet]]]) -> None:
        """Take what was kept."""
        for (account, region), each in kept.items():
            service = self.service(account, region)
            service.stacks, service.change_sets = each

    def stacks(self) -> list[Stack]:
        """Every stack, deleted ones too."""
        return [stack for service in list(self._services.values()) for stack in service.stacks.values()]


class Call:
    """One request: its parameters by name, and the service it is for."""

    def __init__(self, response: Any, service: CloudFormationService) -> None:
        self._response = response
        self.service = service

    def __getitem__(self, name: str) -> Any:
        return self._response._get_param(name)  # noqa: SLF001 # how moto's own handlers read parameters

    def template(self, previous: str | None = None) -> Template:
        """The template given as text, as an S3 address, or the stack's previous one."""
        if self["TemplateBody"]:
            return parse(self["TemplateBody"])
        if self["TemplateURL"]:
            return parse(self.service.template_text(self["TemplateURL"]))
        if previous is not None:
            return self.service.stack(previous).request.template
        raise ValidationError("Either Template URL or Template Body must be specified.")

    def request(self, previous: str | None = None) -> Request:
        """The stack the call asks for; ``previous`` names the stack whose values may be used again."""
        stack = self.service.find(previous) if previous is not None else None
        parameters = {}
        for each in self["Parameters"] or []:
            name = each["ParameterKey"]
            if "ParameterValue" in each:
                parameters[name] = each["ParameterValue"]
            elif stack is not None and name in stack.request.parameters:
                parameters[name] = stack.request.parameters[name]
        tags = tag_map(self["Tags"])
        return Request(
            template=self.template(previous),
            parameters=parameters,
            tags=tags or (stack.request.tags if stack is not None else {}),
            role_arn=self["RoleARN"],
            disable_rollback=str(self["DisableRollback"]).lower() == "true" or self["OnFailure"] == "DO_NOTHING",
            notification_arns=tuple(self["NotificationARNs"] or ()),
        )


def response_class(cloudformation: CloudFormation) -> Any:
    """A class of moto's kind that answers CloudFormation's calls from ``cloudformation``.

    It takes the place of moto's own, which would import most of moto's services.
    """
    from moto.core.responses import BaseResponse

    class CloudFormationResponse(BaseResponse):
        """One request, answered."""

        def __init__(self) -> None:
            super().__init__(service_name="cloudformation")
            self.automated_parameter_parsing = True

    for name, answer in _ANSWERS.items():
        setattr(CloudFormationResponse, name, _handler(cloudformation, answer))
    return CloudFormationResponse


Answer = Callable[[Call], dict[str, Any] | None]


def _handler(cloudformation: CloudFormation, answer: Answer) -> Callable[[Any], Any]:
    def handle(response: Any) -> Any:
        from moto.core.responses import ActionResult, EmptyResult

        from asof.local.services.refusals import RefusedError

        service = cloudformation.service(response.current_account, response.region)
        try:
            result = answer(Call(response, service))
        except ValidationError as error:
            raise RefusedError(error.code, error.message) from error
        return EmptyResult() if result is None else ActionResult(result)

    return handle


def _create_stack(call: Call) -> dict[str, Any]:
    protected = str(call["EnableTerminationProtection"]).lower() == "true"
    stack = call.service.deploy(call["StackName"], call.request(), first=True, protected=protected)
    return {"StackId": stack.id}


def _update_stack(call: Call) -> dict[str, Any]:
    name = call["StackName"]
    return {"StackId": call.service.deploy(name, call.request(previous=name), first=False).id}


def _create_change_set(call: Call) -> dict[str, Any]:
    kind = call["ChangeSetType"] or "UPDATE"
    # ImportExistingResources is what ``cdk bootstrap`` always sets. Nothing is imported here: a resource that exists
    # already makes the deployment fail by its name.
    name = call["StackName"]
    change_set = call.service.propose(
        name, call["ChangeSetName"], kind, call.request(previous=name), description=call["Description"]
    )
    return {"Id": change_set.id, "StackId": change_set.stack.id}


def _describe_change_set(call: Call) -> dict[str, Any]:
    return answers.change_set_answer(call.service.change_set(call["ChangeSetName"], call["StackName"]))


def _execute_change_set(call: Call) -> None:
    call.service.execute(call.service.change_set(call["ChangeSetName"], call["StackName"]))


def _delete_change_set(call: Call) -> None:
    service = call.service
    try:
        change_set = service.change_set(call["ChangeSetName"], call["StackName"])
    except ValidationError:
        return
    del service.change_sets[change_set.id]
    stack = change_set.stack
    if stack.status == "REVIEW_IN_PROGRESS" and not any(each.stack is stack for each in service.change_sets.values()):
        stack.status = "DELETE_COMPLETE"


def _list_change_sets(call: Call) -> dict[str, Any]:
    stack = call.service.stack(call["StackName"])
    found = [each for each in call.service.change_sets.values() if each.stack is stack]
    return {"Summaries": [answers.change_set_summary(each) for each in found]}


def _describe_stacks(call: Call) -> dict[str, Any]:
    if call["StackName"]:
        return {"Stacks": [answers.stack_answer(call.service.stack(call["StackName"]))]}
    alive = (stack for stack in call.service.stacks.values() if stack.status != "DELETE_COMPLETE")
    return {"Stacks": [answers.stack_answer(stack) for stack in alive]}


def _list_stacks(call: Call) -> dict[str, Any]:
    wanted = call["StackStatusFilter"]
    found = [stack for stack in call.service.stacks.values() if not wanted or stack.status in wanted]
    return {"StackSummaries": [answers.summary_answer(stack) for stack in found]}


def _describe_stack_events(call: Call) -> dict[str, Any]:
    stack = call.service.stack(call["StackName"])
    return {"StackEvents": [answers.event_answer(stack, event) for event in reversed(stack.events)]}


def _describe_stack_resources(call: Call) -> dict[str, Any]:
    stack, wanted = call.service.stack(call["StackName"]), call["LogicalResourceId"]
    found = [each for each in stack.resources.values() if wanted in (None, each.logical_id)]
    return {"StackResources": [answers.resource_answer(stack, each) for each in found]}


def _describe_stack_resource(call: Call) -> dict[str, Any]:
    stack, wanted = call.service.stack(call["StackName"]), call["LogicalResourceId"]
    if wanted not in stack.resources:
        raise ValidationError(f"Resource {wanted} does not exist for stack {stack.name}")
    return {"StackResourceDetail": answers.resource_answer(stack, stack.resources[wanted])}


def _list_stack_resources(call: Call) -> dict[str, Any]:
    stack = call.service.stack(call["StackName"])
    return {"StackResourceSummaries": [answers.resource_answer(stack, each) for each in stack.resources.values()]}


def _get_template(call: Call) -> dict[str, Any]:
    if call["ChangeSetName"]:
        request = call.service.change_set(call["ChangeSetName"], call["StackName"]).request
    else:
        request = call.service.stack(call["StackName"]).request
    return {"TemplateBody": request.template.text, "StagesAvailable": ["Original", "Processed"]}


def _get_template_summary(call: Call) -> dict[str, Any]:
    return answers.template_answer(call.template(previous=call["StackName"]))


def _delete_stack(call: Call) -> None:
    call.service.remove(call["StackName"], frozenset(call["RetainResources"] or ()))


def _list_exports(call: Call) -> dict[str, Any]:
    exports = call.service.exports()
    return {
        "Exports": [
            {"ExportingStackId": stack.id, "Name": output.export, "Value": output.value} for stack, output in exports
        ]
    }


def _list_imports(call: Call) -> dict[str, Any]:
    found = call.service.importing(call["ExportName"])
    if not found:
        raise ValidationError(f"Export '{call['ExportName']}' is not imported by any stack.")
    return {"Imports": [stack.name for stack in found]}


def _update_termination_protection(call: Call) -> dict[str, Any]:
    protected = str(call["EnableTerminationProtection"]).lower() == "true"
    return {"StackId": call.service.protect(call["StackName"], protected).id}


_ANSWERS: dict[str, Answer] = {
    "create_stack": _create_stack,
    "update_stack": _update_stack,
    "delete_stack": _delete_stack,
    "create_change_set": _create_change_set,
    "describe_change_set": _describe_change_set,
    "execute_change_set": _execute_change_set,
    "delete_change_set": _delete_change_set,
    "list_change_sets": _list_change_sets,
    "describe_stacks": _describe_stacks,
    "list_stacks": _list_stacks,
    "describe_stack_events": _describe_stack_events,
    "describe_stack_resources": _describe_stack_resources,
    "describe_stack_resource": _describe_stack_resource,
    "list_stack_resources": _list_stack_resources,
    "get_template": _get_template,
    "get_template_summary": _get_template_summary,
    "validate_template": _get_template_summary,
    "list_exports": _list_exports,
    "list_imports": _list_imports,
    "update_termination_protection": _update_termination_protection,
}

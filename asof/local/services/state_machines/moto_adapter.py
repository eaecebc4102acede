"""Puts the above into moto's Step Functions: every definition runs, and what the local cloud cannot do is refused."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from botocore import xform_name

from asof.errors import LocalCloudError
from asof.local.services.activity import Activity
from asof.local.services.clients import Clients
from asof.local.services.state_machines import nested
from asof.local.services.state_machines.executions import Executions
from asof.local.services.state_machines.memory import leave

_PARSER: Final = "moto.stepfunctions.parser"
_SYNC_SECONDS: Final = 0.05

ClientFor = Callable[[str, str, Any], Any]
"""A client from a region, a service and the credentials of a state."""


@contextmanager
def installed(executions: Executions, activity: Activity, clients: Clients) -> Iterator[None]:
    """While inside, moto's state machines run as ``executions`` sees them, in the local cloud's time."""
    from moto.core.config import default_user_config

    importlib.import_module(f"{_PARSER}.models")
    with ExitStack() as stack:
        stack.enter_context(patch.dict(default_user_config["stepfunctions"], execute_state_machine=True))
        _tasks(stack, _clients(stack, clients))
        nested.install(stack)
        _grammar(stack)
        _spelling(stack)
        _waits(stack, activity)
        _states(stack, executions)
        _executions(stack, executions)
        _answers(stack, executions)
        yield


def _module(name: str) -> Any:
    return importlib.import_module(f"{_PARSER}.{name}")


def _clients(stack: ExitStack, clients: Clients) -> ClientFor:
    """Tasks call the local cloud in the name of their state machine's role."""

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        role_arn = None if state_credentials is None else state_credentials.role_arn
        return clients.client(service, region, role_arn, strict=False)

    for name, module in list(sys.modules.items()):
        if name.startswith(_PARSER) and "boto_client_for" in vars(module):
            stack.enter_context(patch.object(module, "boto_client_for", boto_client_for))
    return boto_client_for


def _tasks(stack: ExitStack, clients: ClientFor) -> None:
    """Athena's waiting integration; those of moto's integrations that would not wait are refused."""
    from asof.local.services.state_machines.athena_task import AthenaTask

    factory = _module("asl.component.state.exec.state_task.service.state_task_service_factory")
    original = factory.state_task_service_for

    def state_task_service_for(service_name: str) -> Any:
        if service_name == "athena":
            return AthenaTask(clients)
        if service_name in factory._UNSUPPORTED_SERVICE_NAMES:  # noqa: SLF001 # moto's own list
            raise ValueError(f"the local cloud cannot do the integrations of {service_name}")
        return original(service_name)

    for name, module in list(sys.modules.items()):
        if name.startswith(_PARSER) and "state_task_service_for" in vars(module):
            stack.enter_context(patch.object(module, "state_task_service_for", state_task_service_for))
    callback = _module("asl.component.state.exec.state_task.service.state_task_service_callback")
    stack.enter_context(patch.object(callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", _SYNC_SECONDS))
    reader = _module("asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3")

    def list_objects(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
        """All objects, page by page, as the item reader of a distributed Map lists them."""
        client = reader.boto_client_for(
            region=resource_runtime_part.region, service="s3", state_credentials=state_credentials
        )
        pages = client.get_paginator("list_objects_v2").paginate(**env.stack.pop())
        env.stack.append([_item(each) for page in pages for each in page.get("Contents", [])])

    stack.enter_context(patch.object(reader.ResourceEvalS3, "_handle_list_objects_v2", staticmethod(list_objects)))


def _grammar(stack: ExitStack) -> None:
    """A whole number may be a percentage, which moto's grammar does not accept."""
    parser = _module("asl.parse.asl_parser").AmazonStateLanguageParser
    original = parser.parse

    def parse(definition: str) -> Any:
        return original(json.dumps(with_fractions(json.loads(definition))))

    stack.enter_context(patch.object(parser, "parse", staticmethod(parse)))
    names = _module("asl.component.common.error_name.custom_error_name")

    def init(self: Any, error_name: str | None) -> None:
        names.ErrorName.__init__(self, error_name=error_name)

    # Without moto's check, which turns every States error of a Map's item or of a Fail state into another.
    stack.enter_context(patch.object(names.CustomErrorName, "__init__", init))


def with_fractions(value: Any) -> Any:
    """A definition whose percentages of tolerated failures are floats.

    Raises ValueError where failures are to be tolerated: moto's interpreter fails at the first.
    """
    if isinstance(value, list):
        return [with_fractions(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("ToleratedFailurePercentage") or value.get("ToleratedFailureCount"):
        raise ValueError("the local cloud cannot tolerate failed items of a Map")
    return {
        key: float(item) if key == "ToleratedFailurePercentage" else with_fractions(item) for key, item in value.items()
    }


def _spelling(stack: ExitStack) -> None:
    """Parameters and results are spelled with capitals in state machines, also where the API's begin without."""
    import botocore.session

    service = _module("asl.component.state.exec.state_task.service.state_task_service").StateTaskService
    session = botocore.session.get_session()

    def shapes(self: Any, service_name: str | None, action: str | None) -> tuple[Any, Any]:
        model = session.get_service_model(self._get_boto_service_name(service_name))  # moto's own
        method = self._get_boto_service_action(action)  # the same
        found = next((each for each in model.operation_names if xform_name(each) == method), None)
        operation = None if found is None else model.operation_model(found)
        return (None, None) if operation is None else (operation.input_shape, operation.output_shape)

    def parameters(self: Any, parameters: Any, boto_service_name: Any = None, service_action_name: Any = None) -> None:
        shape, _ = shapes(self, boto_service_name, service_action_name)
        if _lowercase(shape):
            self._to_boto_request(parameters, shape)  # moto has it, and does not use it

    def response(self: Any, response: Any, boto_service_name: Any = None, service_action_name: Any = None) -> None:
        _, shape = shapes(self, boto_service_name, service_action_name)
        if _lowercase(shape):
            self._from_boto_response(response, shape)  # the same

    stack.enter_context(patch.object(service, "_normalise_parameters", parameters))
    stack.enter_context(patch.object(service, "_normalise_response", response))


def _lowercase(shape: Any) -> bool:
    return shape is not None and all(name[0].islower() for name in shape.members)


def _item(listed: dict[str, Any]) -> dict[str, Any]:
    return {
        "Etag": listed["ETag"],
        "Key": listed["Key"],
        "LastModified": int(listed["LastModified"].timestamp()),
        "Size": listed["Size"],
        "StorageClass": listed.get("StorageClass", "STANDARD"),
    }


def _waits(stack: ExitStack, activity: Activity) -> None:
    """Wait states and the pauses before retries last so long in the local cloud's time."""
    retrier = _module("asl.component.common.retry.retrier_decl")
    waiting = _module("asl.component.state.wait.wait_function.wait_function")
    current = threading.local()
    evaluate = retrier.RetrierDecl._eval_body  # noqa: SLF001 # what is replaced

    def eval_body(declaration: Any, env: Any) -> None:
        current.env = env
        evaluate(declaration, env)

    def pause(seconds: float) -> None:
        activity.sleep(seconds, current.env.is_running)

    def wait_interval(_: Any, env: Any, wait_seconds: float) -> None:
        activity.sleep(wait_seconds, env.is_running)

    stack.enter_context(patch.object(retrier.RetrierDecl, "_eval_body", eval_body))
    stack.enter_context(patch.object(retrier, "time", SimpleNamespace(sleep=pause)))
    stack.enter_context(patch.object(waiting.WaitFunction, "_wait_interval", wait_interval))


def _states(stack: ExitStack, executions: Executions) -> None:
    """Every state's outcome is remembered for a redrive, and an execution can be stopped at any state."""
    state = _module("asl.component.state.state")
    choice = _module("asl.component.state.choice.state_choice")
    events = _module("asl.eval.event.event_manager")
    evaluate = state.CommonStateField.eval

    def remembered(self: Any, env: Any) -> None:
        if not env.is_running():
            return
        arn = _arn(env)
        if executions.memory(arn).evaluate(self, env, evaluate):
            executions.passing(arn, self.name, "after")

    enter = state.CommonStateField._eval_state_input  # noqa: SLF001 # what follows the event of its entry

    def entered(self: Any, env: Any) -> None:
        executions.passing(_arn(env), self.name, "before")
        enter(self, env)

    stack.enter_context(patch.object(state.CommonStateField, "eval", remembered))
    stack.enter_context(patch.object(state.CommonStateField, "_eval_state_input", entered))
    for kind in (state.CommonStateField, choice.StateChoice):
        stack.enter_context(patch.object(kind, "_set_next", _leaving(kind._set_next)))  # noqa: SLF001 # replaced
    add_event = events.EventManager.add_event

    def noticed(*arguments: Any, **named: Any) -> Any:
        executions.happened()
        return add_event(*arguments, **named)

    stack.enter_context(patch.object(events.EventManager, "add_event", noticed))


def _arn(env: Any) -> str:
    return str(env.states.context_object.context_object_data["Execution"]["Id"])


def _leaving(set_next: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def replaced(self: Any, env: Any) -> None:
        set_next(self, env)
        leave(self)

    return replaced


def _executions(stack: ExitStack, executions: Executions) -> None:
    """Executions get a name, are counted, know how often they were redriven, and can be stopped at once."""
    models = _module("models")
    backend = models.StepFunctionsParserBackend
    module = _module("backend.execution")
    start_execution = backend.start_execution

    def start(
        self: Any, state_machine_arn: str, name: Any = None, execution_input: Any = None, trace_header: Any = None
    ) -> Any:
        return start_execution(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    worker = _module("backend.execution_worker").ExecutionWorker
    environment = worker._get_evaluation_environment  # noqa: SLF001 # what is replaced

    def with_redrives(self: Any) -> Any:
        env = environment(self)
        env.states.context_object.context_object_data["Execution"]["RedriveCount"] = executions.redrives(_arn(env))
        return env

    run = module.Execution.start

    def begin(self: Any) -> None:
        executions.started(self)
        run(self)

    terminated = module.BaseExecutionWorkerCommunication.terminated

    def end(self: Any) -> None:
        # The last task of an aborted attempt may end after the attempt, even after a redrive: nobody listens then.
        if self.execution.status == "RUNNING" and self.execution.exec_worker._execution_communication is self:  # noqa: SLF001
            terminated(self)
            executions.ended(self.execution)

    def stop(self: Any, stop_date: Any, error: Any, cause: Any) -> None:
        del stop_date
        executions.stop(self, error, cause)

    stack.enter_context(patch.object(backend, "start_execution", start))
    stack.enter_context(patch.object(worker, "_get_evaluation_environment", with_redrives))
    stack.enter_context(patch.object(module.Execution, "start", begin))
    stack.enter_context(patch.object(module.Execution, "stop", stop))
    stack.enter_context(patch.object(module.BaseExecutionWorkerCommunication, "terminated", end))


def _answers(stack: ExitStack, executions: Executions) -> None:
    """RedriveExecution, which moto lacks, and what DescribeExecution and GetExecutionHistory leave out."""
    from moto.core.responses import ActionResult
    from moto.stepfunctions.responses import StepFunctionResponse

    from asof.local.services.refusals import RefusedError

    describe = StepFunctionResponse.describe_execution

    def describe_execution(response: Any) -> Any:
        found: Any = describe(response)
        execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))  # noqa: SLF001
        redrivable = execution.status in ("FAILED", "ABORTED", "TIMED_OUT")
        found.result["redriveCount"] = executions.redrives(execution.exec_arn)
        found.result["redriveStatus"] = "REDRIVABLE" if redrivable else "NOT_REDRIVABLE"
        if execution.stop_date is not None:
            found.result["stopDate"] = execution.stop_date
        return found

    def stop_execution(response: Any) -> Any:
        arn = response._get_param("executionArn")  # noqa: SLF001 # how moto's own handlers read parameters
        execution = response.stepfunction_backend.describe_execution(arn)
        executions.stop(execution, response._get_param("error"), response._get_param("cause"))  # noqa: SLF001
        return ActionResult({"stopDate": execution.stop_date})

    def redrive_execution(response: Any) -> Any:
        execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))  # noqa: SLF001
        try:
            return ActionResult({"redriveDate": executions.redrive(execution)})
        except LocalCloudError as error:
            raise RefusedError("ExecutionNotRedrivable", str(error)) from error

    def get_execution_history(response: Any) -> Any:
        arn = response._get_param("executionArn")  # noqa: SLF001
        events = list(response.stepfunction_backend.get_execution_history(arn)["events"])
        if response._get_param("reverseOrder"):  # noqa: SLF001
            events.reverse()
        start = int(response._get_param("nextToken") or 0)  # noqa: SLF001
        end = start + int(response._get_param("maxResults") or 1_000)  # noqa: SLF001
        more = {"nextToken": str(end)} if end < len(events) else {}
        return ActionResult({"events": events[start:end], **more})

    for name, answer in {
        "describe_execution": describe_execution,
        "stop_execution": stop_execution,
        "redrive_execution": redrive_execution,
        "get_execution_history": get_execution_history,
    }.items():
        stack.enter_context(patch.object(StepFunctionResponse, name, answer, create=True))

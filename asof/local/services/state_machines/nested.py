"""Executions inside executions: those that a task waits for, and those of a distributed map."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from unittest.mock import patch

_PARSER: Final = "moto.stepfunctions.parser"
_TASK: Final = f"{_PARSER}.asl.component.state.exec.state_task.service.state_task_service_sfn"
_MAP: Final = f"{_PARSER}.asl.component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker"


def install(stack: ExitStack) -> None:
    """Let them be stopped, and fail, as on AWS, until ``stack`` is closed."""
    _waited_for(stack)
    _map_runs(stack)


def _waited_for(stack: ExitStack) -> None:
    """An execution that a task waits for is stopped with the task, which moto leaves running."""
    service = importlib.import_module(_TASK)
    kind = service.StateTaskServiceSfn
    wait = kind._eval_sync  # noqa: SLF001 # what is replaced

    def named(build: Callable[..., Any]) -> Callable[..., Any]:
        def built(self: Any, env: Any, resource_runtime_part: Any, **rest: Any) -> Any:
            arn = env.stack[-1]["ExecutionArn"]
            resolve = build(self, env=env, resource_runtime_part=resource_runtime_part, **rest)
            client = service.boto_client_for(
                region=resource_runtime_part.region,
                service="stepfunctions",
                state_credentials=rest["state_credentials"],
            )
            resolve.stop = lambda: client.stop_execution(executionArn=arn)
            return resolve

        return built

    def eval_sync(self: Any, env: Any, sync_resolver: Any, **rest: Any) -> Any:
        outcome = wait(self, env=env, sync_resolver=sync_resolver, **rest)
        if not env.is_running():
            sync_resolver.stop()
        return outcome

    for name in ("_build_sync_resolver", "_build_sync2_resolver"):
        stack.enter_context(patch.object(kind, name, named(getattr(kind, name))))
    stack.enter_context(patch.object(kind, "_eval_sync", eval_sync))


def _map_runs(stack: ExitStack) -> None:
    """A distributed map fails with the first of its executions that fails, which moto takes for a result of null."""
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramError

    worker = importlib.import_module(_MAP).DistributedItemProcessorWorker
    evaluate = worker._eval_job  # noqa: SLF001 # what is replaced
    error = "States.ExceedToleratedFailureThreshold"
    told: Any = {"error": error, "cause": "The specified tolerated failure threshold was exceeded"}

    def eval_job(self: Any, env: Any, job: Any) -> None:
        evaluate(self, env, job)
        if isinstance(env.program_state(), ProgramError):
            details: Any = {"mapRunFailedEventDetails": told}
            failure = FailureEvent(env, CustomErrorName(error), HistoryEventType.MapRunFailed, details)
            job.job_output = FailureEventException(failure)

    stack.enter_context(patch.object(worker, "_eval_job", eval_job))

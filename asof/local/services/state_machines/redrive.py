"""The worker of a redriven execution: the same program and input, and the history goes on."""

from __future__ import annotations

from typing import Any

from moto.stepfunctions.parser.api import ExecutionRedrivenEventDetails, HistoryEventType
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from asof.local.services.state_machines.executions import continued


class RedriveWorker(ExecutionWorker):
    """Evaluates an execution again; its memory answers for what had succeeded."""

    def __init__(self, execution: Any, count: int) -> None:
        template = execution._get_start_execution_worker()  # noqa: SLF001 # moto's own way to a worker
        self.__dict__.update(template.__dict__)
        self._earlier = execution.exec_worker.env
        self._count = count

    def _execution_logic(self) -> None:
        program = self._get_evaluation_entrypoint()
        self.env = self._get_evaluation_environment()
        self.env.event_manager = continued(self._earlier.event_manager)
        self.env.event_history_context.source_event_id = 0
        # moto's types do not know this event.
        details: Any = {"executionRedrivenEventDetails": ExecutionRedrivenEventDetails(redriveCount=self._count)}
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=details,
        )
        program.eval(self.env)
        self._execution_communication.terminated()

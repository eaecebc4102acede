"""Executions of state machines: what starts, ends, is stopped and is redriven, beside moto's own bookkeeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from asof.clock import from_ms
from asof.errors import LocalCloudError
from asof.local.faults import When
from asof.local.services.activity import Activity
from asof.local.services.functions.emf import Datum
from asof.local.services.metrics import Metrics
from asof.local.services.state_machines.memory import Memory
from asof.local.services.virtual_clock import VirtualClock

_ENDED: Final = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}
_QUIET_SECONDS: Final = 0.3


class Executions:
    """Knows which executions run and what their states came to."""

    def __init__(
        self,
        clock: VirtualClock,
        metrics: Metrics,
        activity: Activity,
        *,
        stops_at: Callable[[str, When], bool] = lambda _state, _when: False,
    ) -> None:
        self._stops_at = stops_at
        self._clock = clock
        self._metrics = metrics
        self._activity = activity
        self._lock = threading.Lock()
        self._running: dict[str, Any] = {}
        self._redriven: dict[str, int] = {}
        self._memories: dict[str, Memory] = {}
        self._last_event = time.monotonic()
        activity.watch(self._resting)

    def memory(self, arn: str) -> Memory:
        """What the states of an execution came to."""
        with self._lock:
            return self._memories.setdefault(arn, Memory())

    def redrives(self, arn: str) -> int:
        """How often an execution was redriven."""
        return self._redriven.get(arn, 0)

    def kept(self) -> tuple[dict[str, int], dict[str, Memory]]:
        """What a redrive needs to know of executions that have ended, to be kept."""
        return self._redriven, self._memories

    def restore(self, kept: tuple[dict[str, int], dict[str, Memory]]) -> None:
        """Take what was kept."""
        self._redriven, self._memories = kept

    def stop_all(self, cause: str) -> None:
        """Abort everything that runs; it can be redriven."""
        for execution in list(self._running.values()):
            self.stop(execution, "States.Runtime", cause)

    def happened(self) -> None:
        """Take note that a state machine does something."""
        self._last_event = time.monotonic()

    def started(self, execution: Any) -> None:
        """An execution begins, or begins again."""
        self.happened()
        self._running[execution.exec_arn] = execution
        self._count(execution, "ExecutionsStarted")

    def ended(self, execution: Any) -> None:
        """An execution has ended; a second word of it (of an aborted one's last task) changes nothing."""
        if self._running.pop(execution.exec_arn, None) is not None:
            self._count(execution, _ENDED[execution.status])
        if execution.status == "SUCCEEDED":
            with self._lock:
                self._memories.pop(execution.exec_arn, None)

    def _count(self, execution: Any, name: str) -> None:
        dimensions = (("StateMachineArn", execution.state_machine.arn),)
        datum = Datum("AWS/States", name, dimensions, (1.0,), self._clock.now_ms(), "Count")
        self._metrics.record(execution.account_id, execution.region_name, datum)

    def _resting(self) -> bool:
        """Nothing runs, or whatever runs only waits for time to pass."""
        quiet = time.monotonic() - max(self._last_event, self._activity.woken) > _QUIET_SECONDS
        return not self._running or (self._activity.waiting > 0 and quiet)

    def passing(self, arn: str, state: str, when: When) -> None:
        """An execution has entered or left a state; it goes no further where it is to be stopped there."""
        execution = self._running.get(arn)
        if execution is not None and self._stops_at(state, when):
            self.stop(execution, "Stopped", f"injected by the local cloud, {when} {state}")

    def stop(self, execution: Any, error: str | None, cause: str | None) -> None:
        """Abort an execution at once; a task that is at work goes on unseen, as on AWS."""
        if execution.status != "RUNNING":
            return
        now = from_ms(self._clock.now_ms())
        worker = execution.exec_worker
        while worker.env is None:
            time.sleep(0.01)
        self.happened()
        worker.env.set_stop(stop_date=now, cause=cause, error=error)
        _close_history(worker.env, error, cause)
        from moto.stepfunctions.parser.api import ExecutionStatus

        execution.exec_status = ExecutionStatus.ABORTED
        execution.stop_date = now
        execution.error, execution.cause = error or None, cause or None
        self.ended(execution)

    def redrive(self, execution: Any) -> Any:
        """Run what had not succeeded again; raises LocalCloudError where there is nothing to redrive."""
        from asof.local.services.state_machines.redrive import RedriveWorker

        if execution.status not in ("FAILED", "ABORTED", "TIMED_OUT"):
            raise LocalCloudError(f"Execution is not redrivable because its status is {execution.status}")
        if '"Assign"' in execution.state_machine.definition:
            raise LocalCloudError("the local cloud cannot redrive executions with variables (Assign)")
        from moto.stepfunctions.parser.api import ExecutionStatus

        arn = execution.exec_arn
        self.memory(arn).redrive()
        self._redriven[arn] = self.redrives(arn) + 1
        execution.exec_worker = RedriveWorker(execution, self._redriven[arn])
        execution.exec_status = ExecutionStatus.RUNNING
        execution.stop_date, execution.error, execution.cause = None, None, None
        self.started(execution)
        execution.exec_worker.start()
        return from_ms(self._clock.now_ms())


def _close_history(env: Any, error: str | None, cause: str | None) -> None:
    """End an execution's history with its abortion; what its last tasks add later is not part of it."""
    from moto.stepfunctions.parser.api import HistoryEventType

    env.event_manager = continued(env.event_manager)
    env.event_history_context.source_event_id = 0
    details: Any = {"executionAbortedEventDetails": {"error": error or None, "cause": cause or None}}
    env.event_manager.add_event(
        context=env.event_history_context, event_type=HistoryEventType.ExecutionAborted, event_details=details
    )
    env.event_manager.add_event = lambda *_arguments, **_named: 0


def continued(history: Any) -> Any:
    """A history of its own that begins with the events of another."""
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    copy: Any = EventManager()
    events = history.get_event_history()
    for _ in events:
        copy._event_id_gen.get()  # noqa: SLF001 # moto has no way to begin elsewhere
    copy._history_event_list.extend(events)  # noqa: SLF001 # the same
    return copy

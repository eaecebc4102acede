"""The optimized integration ``athena:startQueryExecution.sync``: start a query, wait for its end, answer with it.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails, TaskSubmittedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from asof.errors import LocalCloudError

_POLL_SECONDS: Final = 0.05
_SLOWEST_POLL_SECONDS: Final = 1.0
_ACTIONS: Final = {
    "startqueryexecution": "start_query_execution",
    "stopqueryexecution": "stop_query_execution",
    "getqueryexecution": "get_query_execution",
    "getqueryresults": "get_query_results",
}


class AthenaTask(StateTaskServiceCallback):
    """A task of Athena. ``.sync`` is what makes it wait; without it the call's own answer is the result.

    ``client`` makes a client from a region, a service and the credentials of a state.
    """

    def __init__(self, client: Callable[[str, str, Any], Any]) -> None:
        super().__init__(supported_integration_patterns={ResourceCondition(ResourceCondition.Sync)})
        self._client = client

    def _validate_service_integration_is_supported(self) -> None:
        action, condition = self.resource.api_action.lower(), self.resource.condition
        if action not in _ACTIONS or condition not in (None, ResourceCondition.Sync):
            raise ValueError(f"the local cloud cannot do the integration {self.resource.resource_arn}")
        if condition is not None and action != "startqueryexecution":
            raise ValueError(f"{self.resource.resource_arn}: only startQueryExecution can be waited for")

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        athena = self._client(resource_runtime_part.region, "athena", state_credentials)
        answer = getattr(athena, _ACTIONS[self.resource.api_action.lower()])(**normalised_parameters)
        answer.pop("ResponseMetadata", None)
        if self.resource.condition is not None:
            self._submitted(env, answer)
            answer = self._awaited(env, athena, answer["QueryExecutionId"])
        env.stack.append(answer)

    def _awaited(self, env: Any, athena: Any, query_id: str) -> dict[str, Any]:
        """The answer of GetQueryExecution when the query has succeeded. A state that is left stops its query."""
        pause = _POLL_SECONDS
        while env.is_running():
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return {"QueryExecution": plain(execution)}
            if state in ("FAILED", "CANCELLED"):
                raise FailureEventException(self._failed(env, plain(execution)))
            time.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL_SECONDS)
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise LocalCloudError(f"the state was left before its query {query_id} ended")

    def _submitted(self, env: Any, answer: dict[str, Any]) -> None:
        details = TaskSubmittedEventDetails(
            resource=self._get_sfn_resource(), resourceType="athena", output=to_json_str(answer)
        )
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.TaskSubmitted,
            event_details={"taskSubmittedEventDetails": details},
        )

    def _failed(self, env: Any, execution: dict[str, Any]) -> Any:
        return FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed),
            event_type=HistoryEventType.TaskFailed,
            event_details=self._details("States.TaskFailed", to_json_str(execution)),
        )

    def _details(self, error: str, cause: str) -> Any:
        details = TaskFailedEventDetails(
            resource=self._get_sfn_resource(), resourceType="athena", error=error, cause=cause
        )
        return {"taskFailedEventDetails": details}

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            name = f"Athena.{ex.response['Error']['Code']}"
            return FailureEvent(
                env=env,
                error_name=CustomErrorName(name),
                event_type=HistoryEventType.TaskFailed,
                event_details=self._details(name, ex.response["Error"].get("Message", "")),
            )
        return super()._from_error(env=env, ex=ex)

    def _after_eval_execution(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        # Past moto's own waiting, which needs a task token: the query has ended already.
        StateTaskService._after_eval_execution(  # noqa: SLF001 # a base class's own method
            self, env, resource_runtime_part, normalised_parameters, state_credentials
        )


def plain(value: Any) -> Any:
    """A client's answer as JSON: instants become milliseconds since the epoch, as Step Functions shows them."""
    from datetime import datetime

    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value.timestamp() * 1_000) if isinstance(value, datetime) else value

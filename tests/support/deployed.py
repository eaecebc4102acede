"""The deployed functions and the state machine that drives them, inside a test's world instead of AWS."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from asof.errors import QueryError
from asof.materialize.services import Services
from asof.offline.objects import list_objects
from infra.permissions import STAGES
from infra.places import Places
from infra.state_machine import materialize_definition
from tests.support.asl import Machine, TaskError

ARN = "arn:aws:states:eu-central-1:123456789012:execution:asof-test-materialize:{}"


class Context:
    """Lambda's context, with as much time as a test gives it."""

    def __init__(self, *remaining_ms: int) -> None:
        self._remaining = list(remaining_ms) or [900_000]

    def get_remaining_time_in_millis(self) -> int:
        """The times given, one after the other; the last one for ever."""
        return self._remaining.pop(0) if len(self._remaining) > 1 else self._remaining[0]


def handler_of(name: str) -> Any:
    """The module of a function."""
    return importlib.import_module(f"lambdas.{name}.handler")


@contextmanager
def functions(services: Services) -> Iterator[Callable[..., Any]]:
    """The stage functions as they would run with these services: called by name with an event."""

    def call(name: str, event: Any, context: Any = None) -> Any:
        module = handler_of(name)
        with patch.object(module, "connected", lambda: services):
            return json.loads(json.dumps(module.handle(json.loads(json.dumps(event)), context or Context())))

    yield call


class Deployed:
    """The state machine over a world's services. ``fail`` may raise instead of a task, by its name and number."""

    def __init__(self, services: Services, fail: Callable[[str], None] = lambda _name: None) -> None:
        self.services = services
        self.places = Places(services.environment, "aws", services.manifest)
        self._fail = fail
        self._executions = 0

    def machine(self, stop_before: int | None = None) -> Machine:
        """A new execution."""
        self._executions += 1
        return Machine(
            materialize_definition(self.places),
            {"lambda:invoke": self._invoke, "athena:startQueryExecution.sync": self._query},
            execution=ARN.format(self._executions),
            list_objects=self._list,
            stop_before=stop_before,
        )

    def run(self, **request: Any) -> Any:
        """Run an execution to its end; raises TaskError where it fails."""
        return self.machine().run(request)

    def _invoke(self, parameters: dict[str, Any]) -> Any:
        name = parameters["FunctionName"].removeprefix(self.places.function(""))
        assert name in STAGES
        try:
            self._fail(name)
            with functions(self.services) as call:
                return {"Payload": call(name, parameters["Payload"])}
        except Exception as error:
            raise TaskError(type(error).__name__, json.dumps({"errorMessage": str(error)})) from error

    def _query(self, parameters: dict[str, Any]) -> Any:
        assert len(parameters["ClientRequestToken"]) >= 32
        athena: Any = self.services.athena
        try:
            self._fail("query")
            answer = athena._call(
                "start_query_execution",
                None,
                **{name: parameters[name] for name in ("QueryString", "ClientRequestToken", "WorkGroup")},
                QueryExecutionContext=parameters["QueryExecutionContext"],
            )
            result = athena._wait(answer["QueryExecutionId"], parameters["QueryString"], None)
        except QueryError as error:
            status = {"State": "FAILED", "StateChangeReason": str(error)}
            raise TaskError("States.TaskFailed", json.dumps({"QueryExecution": {"Status": status}})) from error
        return {"QueryExecution": {"QueryExecutionId": result.query_id, "Statistics": dict(result.statistics)}}

    def _list(self, bucket: str, prefix: str) -> list[str]:
        return [each.key for each in list_objects(self.services.s3, bucket, prefix)]

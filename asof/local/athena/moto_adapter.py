"""Puts the executing Athena behind moto's request handling, in-process and in moto's server alike.

moto's Athena keeps workgroups, named queries and the like; the calls about executions are answered here instead.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from asof.clock import Clock
from asof.local.athena.catalog import Catalog
from asof.local.athena.engine import Engine
from asof.local.athena.errors import InvalidRequestError
from asof.local.athena.model import Execution, QueryRequest
from asof.local.athena.objects import ObjectStore
from asof.local.athena.service import AthenaService, QueryHook, WorkGroup

_PAGE = 1_000


class Athena:
    """The services of all accounts and regions asked for.

    ``cache`` is a folder for copies of objects; ``writers`` the number of files each partition of a write gets;
    ``hook`` is called around each query.
    """

    def __init__(self, cache: Path, clock: Clock, *, writers: int = 1, hook: QueryHook | None = None) -> None:
        self._cache = cache
        self._hook = hook
        self._clock = clock
        self._writers = writers
        self._lock = threading.Lock()
        self._services: dict[tuple[str, str], AthenaService] = {}

    def service(self, account: str, region: str) -> AthenaService:
        """The service of an account and region, made when first asked for."""
        from moto.utilities.utils import get_partition

        with self._lock:
            if (account, region) not in self._services:
                cache = self._cache / account / region
                cache.mkdir(parents=True)
                objects = ObjectStore(account, get_partition(region), cache)
                engine = Engine(Catalog(account, region), objects, self._clock, writers=self._writers)
                service = AthenaService(engine, _workgroups(account, region), self._clock)
                service.hook = self._hook or service.hook
                self._services[account, region] = service
            return self._services[account, region]

    def resting(self) -> bool:
        """Whether no query is at work."""
        return all(service.resting() for service in list(self._services.values()))

    def kept(self) -> dict[tuple[str, str], Any]:
        """What each service keeps."""
        return {place: service.kept() for place, service in self._services.items()}

    def restore(self, kept: dict[tuple[str, str], Any]) -> None:
        """Take what was kept."""
        for (account, region), each in kept.items():
            self.service(account, region).restore(each)

    def close(self) -> None:
        """Release every service."""
        for service in self._services.values():
            service.close()
        self._services.clear()


def _workgroups(account: str, region: str) -> Callable[[str], WorkGroup | None]:
    from moto.athena.models import athena_backends

    def find(name: str) -> WorkGroup | None:
        found = athena_backends[account][region].work_groups.get(name)
        if found is None:
            return None
        configuration = found.configuration or {}
        result = configuration.get("ResultConfiguration") or {}
        return WorkGroup(
            name=name,
            output_location=result.get("OutputLocation"),
            enforced=bool(configuration.get("EnforceWorkGroupConfiguration")) and "OutputLocation" in result,
            cutoff=configuration.get("BytesScannedCutoffPerQuery"),
            enabled=found.state == "ENABLED",
        )

    return find


@contextmanager
def installed(athena: Athena) -> Iterator[None]:
    """While inside, moto answers the calls about query executions from ``athena``."""
    from moto.athena.responses import AthenaResponse

    with ExitStack() as stack:
        for name, answer in _ANSWERS.items():
            # ``create``: moto lacks some of the calls.
            stack.enter_context(patch.object(AthenaResponse, name, _handler(athena, answer), create=True))
        yield


Answer = Callable[[AthenaService, dict[str, Any]], dict[str, Any]]


def _handler(athena: Athena, answer: Answer) -> Callable[[Any], Any]:
    def handle(response: Any) -> Any:
        service = athena.service(response.current_account, response.region)
        try:
            return json.dumps(answer(service, json.loads(response.body or "{}")))
        except InvalidRequestError as error:
            body = {"__type": "InvalidRequestException", "Message": error.message, "AthenaErrorCode": error.code}
            return json.dumps(body), {"status": 400}

    return handle


def _start(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    context = body.get("QueryExecutionContext") or {}
    request = QueryRequest(
        sql=body["QueryString"],
        database=context.get("Database") or "default",
        catalog=context.get("Catalog") or "AwsDataCatalog",
        workgroup=body.get("WorkGroup") or "primary",
        output_location=(body.get("ResultConfiguration") or {}).get("OutputLocation"),
        token=body.get("ClientRequestToken"),
        parameters=tuple(body.get("ExecutionParameters") or ()),
    )
    return {"QueryExecutionId": service.start(request)}


def _get(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    return {"QueryExecution": described(service.get(body["QueryExecutionId"]))}


def _batch_get(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    found, missing = [], []
    for execution_id in body["QueryExecutionIds"]:
        try:
            found.append(described(service.get(execution_id)))
        except InvalidRequestError as error:
            missing.append({"QueryExecutionId": execution_id, "ErrorCode": error.code, "ErrorMessage": error.message})
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


def _stop(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    service.stop(body["QueryExecutionId"])
    return {}


def _list(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    ids = service.in_workgroup(body.get("WorkGroup") or "primary")
    start, limit = int(body.get("NextToken") or 0), body.get("MaxResults") or 50
    answer: dict[str, Any] = {"QueryExecutionIds": ids[start : start + limit]}
    if start + limit < len(ids):
        answer["NextToken"] = str(start + limit)
    return answer


def _results(service: AthenaService, body: dict[str, Any]) -> dict[str, Any]:
    start, limit = int(body.get("NextToken") or 0), body.get("MaxResults") or _PAGE
    page, following = service.results(body["QueryExecutionId"], start, limit)
    return {**page, "NextToken": str(following)} if following is not None else dict(page)


_ANSWERS: dict[str, Answer] = {
    "start_query_execution": _start,
    "get_query_execution": _get,
    "batch_get_query_execution": _batch_get,
    "stop_query_execution": _stop,
    "list_query_executions": _list,
    "get_query_results": _results,
}


def described(execution: Execution) -> dict[str, Any]:
    """An execution as ``GetQueryExecution`` describes it; times are seconds since the epoch."""
    request, outcome = execution.request, execution.outcome
    completed = execution.completed_ms if execution.completed_ms is not None else execution.submitted_ms
    elapsed = max(completed - execution.submitted_ms, 1)
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted_ms / 1000}
    if execution.completed_ms is not None:
        status["CompletionDateTime"] = execution.completed_ms / 1000
    if execution.reason is not None:
        status["StateChangeReason"] = execution.reason
    if execution.error is not None:
        status["AthenaError"] = dict(execution.error)
    statistics: dict[str, Any] = {
        "DataScannedInBytes": outcome.scanned_bytes,
        "EngineExecutionTimeInMillis": elapsed,
        "TotalExecutionTimeInMillis": elapsed,
        "QueryQueueTimeInMillis": 0,
        "QueryPlanningTimeInMillis": 0,
        "ServicePreProcessingTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }
    if outcome.manifest is not None:
        statistics["DataManifestLocation"] = outcome.manifest
    answer: dict[str, Any] = {
        "QueryExecutionId": execution.id,
        "Query": request.sql,
        "StatementType": outcome.statement_type,
        "SubstatementType": outcome.substatement_type,
        "ResultConfiguration": {"OutputLocation": execution.output_location},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": {"Database": request.database, "Catalog": request.catalog},
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": request.workgroup,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
    }
    if request.parameters:
        answer["ExecutionParameters"] = list(request.parameters)
    return answer

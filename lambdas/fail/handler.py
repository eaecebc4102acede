"""Fail: record what stopped a run, give its lease back, tell people. The run stays open; the next one finishes it.

The state machine comes here twice: to record the failure, and then to fail. Where it was redriven in between, which
shows in the second call, it does not fail but begins again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

from asof.errors import LeaseLostError, MaterializationError, RunFailedError
from asof.materialize.events import StageEvent, asked_of, connected, error_text
from asof.materialize.lifecycle import reader_of, record_failure
from asof.materialize.services import Services
from asof.monitor.log import log_line
from asof.names import Environment

State = Mapping[str, Any]


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """``{"state": {..., "error": {"Error", "Cause"}}, "execution": {"Id", "RedriveCount", ...}}`` -> what was told.

    With ``failed`` in the state, what it was when this was recorded: raises RunFailedError, or gives what is to be
    begun again.
    """
    state, execution = event["state"], event["execution"]
    if "failed" not in state:
        return _record(state, execution["Id"])
    if _redrives(execution) > _redrives(state["failed"]["execution"]):
        return asked_of(state.get("request", state))
    raise RunFailedError(_message(connected(), state, execution["Id"], error_text(state["error"])))


def _redrives(execution: State) -> int:
    return int(execution.get("RedriveCount", 0))


def _record(state: State, execution: str) -> dict[str, Any]:
    services, error = connected(), error_text(state["error"])
    view, run_id = state.get("view"), state.get("run_id")
    if run_id and "lease" in state:
        stage = StageEvent.of(services, state)
        try:
            record = stage.run(run_id)
            # A repeated call finds its error there, and its lease given back.
            if record.state == "open" and record.error != error:
                record_failure(services, stage.lease, record, error)
        except (LeaseLostError, MaterializationError) as lost:
            error = f"{error}\nNot recorded: {lost}"
        stage.lease.release()
    print(log_line("fail", view=view, run=run_id, error=error, execution=execution))
    subject = f"Asof {services.environment.name}: a run of {view} failed"[:100]
    _tell(services.environment, subject, _message(services, state, execution, error))
    return {"view": view, "run_id": run_id, "error": error}


def _message(services: Services, state: State, execution: str, error: str) -> str:
    view, run_id, name = state.get("view"), state.get("run_id"), services.environment.name
    return (
        f"A run of {view} failed in {name}.\n\n{error}\n\nrun: {run_id or 'none was begun'}\nexecution: {execution}\n\n"
        f"{_what_next(services, view, run_id)}\nTo go on at once, when the cause is mended: aws stepfunctions "
        f"redrive-execution --execution-arn {execution}"
    )


def _what_next(services: Services, view: Any, run_id: str | None) -> str:
    if not run_id:
        return "The next run of the view begins where this one would have begun."
    record = reader_of(services).run(view, run_id)
    if record is not None and record.state != "open":
        return f"Another execution took it over, and it is {record.state}."
    look = f"asof runs {view} --env {services.environment.name}"
    return f"It stays open, and the next run of the view finishes it. To look closer: {look}"


def _tell(environment: Environment, subject: str, message: str) -> None:
    topic = f"{environment.named('alarms')}"
    partition = boto3.Session().get_partition_for_region(environment.region)
    arn = f"arn:{partition}:sns:{environment.region}:{environment.account}:{topic}"
    boto3.client("sns").publish(TopicArn=arn, Subject=subject, Message=message)

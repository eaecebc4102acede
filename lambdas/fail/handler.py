"""Fail: record what stopped a run, give its lease back, tell people. The run stays open; the next one finishes it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import boto3

from asof.errors import LeaseLostError, MaterializationError
from asof.materialize.events import StageEvent, connected
from asof.materialize.lifecycle import record_failure
from asof.monitor.log import log_line
from asof.names import Environment


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """``{"state": {..., "error": {"Error", "Cause"}}, "execution": arn}`` -> what people were told."""
    services, state = connected(), event["state"]
    error = describe(state["error"])
    view, run_id = state.get("view"), state.get("run_id")
    if run_id and "lease" in state:
        stage = StageEvent.of(services, state)
        try:
            record = stage.run(run_id)
            if record.state == "open":
                record_failure(services, stage.lease, record, error)
        except (LeaseLostError, MaterializationError) as lost:
            error = f"{error}\nNot recorded: {lost}"
        stage.lease.release()
    print(log_line("fail", view=view, run=run_id, error=error, execution=event["execution"]))
    message = (
        f"A run of {view} failed in {services.environment.name}.\n\n{error}\n\nrun: {run_id or 'none was begun'}\n"
        f"execution: {event['execution']}\n\nThe run stays open and the next one finishes it. To look closer: "
        f"asof runs {view} --env {services.environment.name}"
    )
    _tell(services.environment, f"Asof {services.environment.name}: a run of {view} failed"[:100], message)
    return {"view": view, "run_id": run_id, "error": error}


def describe(error: dict[str, Any]) -> str:
    """The error a state machine caught, in words: a function's error comes as JSON in ``Cause``."""
    cause = str(error.get("Cause", ""))
    with contextlib.suppress(ValueError, KeyError, TypeError):  # not a function's error: the text is all there is
        cause = str(json.loads(cause)["errorMessage"])
    return f"{error.get('Error', 'Error')}: {cause}"[:8_000]


def _tell(environment: Environment, subject: str, message: str) -> None:
    topic = f"{environment.named('alarms')}"
    partition = boto3.Session().get_partition_for_region(environment.region)
    arn = f"arn:{partition}:sns:{environment.region}:{environment.account}:{topic}"
    boto3.client("sns").publish(TopicArn=arn, Subject=subject, Message=message)

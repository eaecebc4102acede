"""The two state machines, in the Amazon States Language. Pure functions from names to data.

``materialize`` drives the same stages as the in-process runner: what a stage does is in the functions, what comes next
is here. Every task may be repeated; every failure ends in ``fail``, which gives the lease back and tells people. An
execution that failed or was stopped may be redriven: its last state is a task, since a redrive can only leave a task.
"""

from __future__ import annotations

from typing import Any, Final

from infra.places import Places

State = dict[str, Any]

CHUNKS_AT_ONCE: Final = 4
LOADS_AT_ONCE: Final = 8
QUERY_TIMEOUT_S: Final = 1_900  # Athena stops a query after 30 minutes by itself
RUN_TIMEOUT_S: Final = 86_400

LASTING: Final = (
    "CheckFailedError",
    "EntityRowsError",
    "ItemTooLargeError",
    "LeaseLostError",
    "ManifestError",
    "MaterializationError",
    "NaiveDatetimeError",
    "RequestError",
    "RunFailedError",
    "SourceError",
    "UnknownFeatureError",
)
"""Errors that a repetition does not mend."""


def materialize_definition(places: Places) -> State:
    """The state machine that runs one view: begin, its chunks, the load, publish; again where an old run was finished.

    Input: ``{"view": "name" | "name@v2", "kind": "incremental" | "materialize" | "backfill", "start"?, "end"?,
    "chunk"?}``.
    """
    failed: State = {"state.$": "$", "execution.$": "$$.Execution"}
    return {
        "Comment": "Brings one feature view from where it is published to where it should be",
        "StartAt": "Begin",
        "TimeoutSeconds": RUN_TIMEOUT_S,
        "States": {
            "Begin": _guarded(
                _invoke(places, "begin", "AnythingToDo", {"request.$": "$", "execution.$": "$$.Execution.Id"})
            ),
            "AnythingToDo": _choice("$.idle", yes="UpToDate", no="Chunks"),
            "UpToDate": {"Type": "Succeed"},
            "Chunks": _guarded(_chunks(places)),
            "PlanLoad": _guarded(_invoke(places, "load_plan", "AnythingToLoad")),
            "AnythingToLoad": _choice("$.done", yes="Publish", no="Unload"),
            "Unload": {**_query(places, "Load"), "Catch": _caught("$.failure", "PlanLoad")},
            "Load": _guarded(_load(places)),
            "Publish": _guarded(_invoke(places, "publish", "OldRun")),
            "OldRun": _choice("$.again", yes="Begin", no="Published"),
            "Published": {"Type": "Succeed"},
            "Fail": {
                **_invoke(places, "fail", "FailedAt", failed),
                "ResultPath": None,
                "OutputPath": "$",
                "Catch": _caught("$.unrecorded", "FailedAt"),
            },
            # How often the execution was redriven before it failed: a higher count says that it is redriven now.
            "FailedAt": {
                "Type": "Pass",
                "Parameters": {"execution.$": "$$.Execution"},
                "ResultPath": "$.failed",
                "Next": "Failed",
            },
            # A task that fails, and not a Fail state, which a redrive enters only to fail again.
            "Failed": _invoke(places, "fail", "Begin", failed),
        },
    }


def backfill_definition(places: Places) -> State:
    """The state machine that backfills several views: ``{"views": [...], "start": ..., "end": ..., "chunk": ...}``."""
    run = {
        "Type": "Task",
        "Resource": _integration(places, "states:startExecution.sync:2"),
        "Parameters": {
            "StateMachineArn": places.machine("materialize"),
            "Input": {
                "view.$": "$.view",
                "kind": "backfill",
                "start.$": "$.start",
                "end.$": "$.end",
                "chunk.$": "$.chunk",
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id",
            },
        },
        "ResultSelector": {"execution.$": "$.ExecutionArn"},
        "End": True,
    }
    return {
        "Comment": "Backfills feature views, two side by side",
        "StartAt": "Views",
        "States": {
            "Views": {
                "Type": "Map",
                "ItemsPath": "$.views",
                "MaxConcurrency": 2,
                "ItemSelector": {
                    "view.$": "$$.Map.Item.Value",
                    "start.$": "$.start",
                    "end.$": "$.end",
                    "chunk.$": "$.chunk",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Backfill",
                    "States": {"Backfill": run},
                },
                "End": True,
            }
        },
    }


def _chunks(places: Places) -> State:
    """All chunks, a few side by side: a step says which query comes next, the query runs, and so on until it is done.

    A query that fails is told to the step, which begins a new attempt or gives up.
    """
    return {
        "Type": "Map",
        "ItemsPath": "$.chunks",
        "MaxConcurrency": CHUNKS_AT_ONCE,
        "ItemSelector": {
            "view.$": "$.view",
            "lease.$": "$.lease",
            "run_id.$": "$.run_id",
            "chunk.$": "$$.Map.Item.Value",
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Step",
            "States": {
                "Step": _invoke(places, "step", "Committed"),
                "Committed": _choice("$.done", yes="Chunk", no="Query"),
                "Query": {**_query(places, "Step"), "Catch": _caught("$.failure", "Step")},
                "Chunk": {"Type": "Pass", "Parameters": {"chunk.$": "$.chunk"}, "End": True},
            },
        },
        "ResultPath": None,
        "Next": "PlanLoad",
    }


def _load(places: Places) -> State:
    """Every unloaded object to the online store; a big one in several calls.

    One that fails is told to publish, which fails the run with the reason: a distributed map would keep it to itself.
    """
    return {
        "Type": "Map",
        "MaxConcurrency": LOADS_AT_ONCE,
        "ToleratedFailurePercentage": 0,
        "ItemReader": {
            "Resource": _integration(places, "s3:listObjectsV2"),
            "Parameters": {"Bucket": places.environment.offline_bucket, "Prefix.$": "$.prefix"},
        },
        "ItemSelector": {
            "view.$": "$.view",
            "lease.$": "$.lease",
            "key.$": "$$.Map.Item.Value.Key",
            "lines": 0,
            "written": 0,
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "LoadObject",
            "States": {
                "LoadObject": {**_invoke(places, "load", "WholeObject"), "Catch": _caught("$.failure", "NotLoaded")},
                "WholeObject": _choice("$.done", yes="Loaded", no="LoadObject"),
                "Loaded": {"Type": "Pass", "Parameters": {"written.$": "$.written", "failure": {}}, "End": True},
                "NotLoaded": {
                    "Type": "Pass",
                    "Parameters": {"written.$": "$.written", "failure.$": "$.failure"},
                    "End": True,
                },
            },
        },
        "ResultSelector": {"written.$": "$[*].written", "failures.$": "$[*].failure"},
        "ResultPath": "$.loads",
        "Next": "Publish",
    }


def _invoke(places: Places, name: str, following: str, payload: State | None = None) -> State:
    """A function's call; its answer replaces the state. ``payload`` None: the state as it is."""
    given: State = {"Payload.$": "$"} if payload is None else {"Payload": payload}
    return {
        "Type": "Task",
        "Resource": _integration(places, "lambda:invoke"),
        "Parameters": {"FunctionName": places.function(name), **given},
        "OutputPath": "$.Payload",
        "Retry": _retries(name),
        "Next": following,
    }


def _query(places: Places, following: str) -> State:
    """The query the state holds, run to its end. Its token makes a repeated start harmless."""
    return {
        "Type": "Task",
        "Resource": _integration(places, "athena:startQueryExecution.sync"),
        "TimeoutSeconds": QUERY_TIMEOUT_S,
        "Parameters": {
            "QueryString.$": "$.query.sql",
            "ClientRequestToken.$": "$.query.token",
            "WorkGroup": places.environment.workgroup,
            "QueryExecutionContext": {"Database": places.environment.database},
        },
        "ResultSelector": {
            "query_id.$": "$.QueryExecution.QueryExecutionId",
            "statistics.$": "$.QueryExecution.Statistics",
        },
        "ResultPath": "$.result",
        "Retry": [
            _backoff(["Athena.TooManyRequestsException", "Athena.InternalServerException", "Athena.SdkClientException"])
        ],
        "Next": following,
    }


def _retries(name: str) -> list[State]:
    """Repeat what may pass. A lease that is held passes when its holder ends, at the latest when it expires."""
    patient = {
        "ErrorEquals": ["LeaseHeldError"],
        "IntervalSeconds": 30,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 20,
        "JitterStrategy": "FULL",
    }
    return [
        *([patient] if name == "begin" else []),
        # Whoever only begins has nothing to lose with a lease, and begins again.
        {"ErrorEquals": [each for each in LASTING if (name, each) != ("begin", "LeaseLostError")], "MaxAttempts": 0},
        _backoff(["States.ALL"]),
    ]


def _backoff(errors: list[str]) -> State:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 60,
        "MaxAttempts": 5,
        "JitterStrategy": "FULL",
    }


def _guarded(state: State) -> State:
    return {**state, "Catch": _caught("$.error", "Fail")}


def _caught(path: str, following: str) -> list[State]:
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": following}]


def _choice(variable: str, *, yes: str, no: str) -> State:
    return {"Type": "Choice", "Choices": [{"Variable": variable, "BooleanEquals": True, "Next": yes}], "Default": no}


def _integration(places: Places, name: str) -> str:
    return f"arn:{places.partition}:states:::{name}"

"""Deployed functions run: results, errors, timeouts, time, logs and metrics, as Lambda has them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from asof.local.server import LocalServer
from tests.support.stacks import deployed, function, role, template

SOURCE = """
import json, os, sys, time
import boto3
COUNT = 0

def handle(event, context):
    global COUNT
    COUNT += 1
    what = event.get("do")
    if what == "fail":
        raise ValueError("not that")
    if what == "exit":
        os._exit(7)
    if what == "sleep":
        time.sleep(30)
    if what == "unserializable":
        return {1, 2}
    if what == "import":
        import pandas
    if what == "print":
        print("hello from inside")
        print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [
            {"Namespace": "Test", "Dimensions": [["View"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}]},
            "View": "v@v1", "Rows": 7}))
    return {
        "count": COUNT, "environment": os.environ.get("ASOF_ENV"), "name": context.function_name,
        "time_ms": time.time_ns() // 1_000_000, "left": context.get_remaining_time_in_millis(),
        "account": boto3.client("sts").get_caller_identity()["Account"] if what == "call" else None,
        "arn": boto3.client("sts").get_caller_identity()["Arn"] if what == "call" else None,
    }
"""


@pytest.fixture(scope="module")
def invoke(client: Callable[[str], Any]) -> Callable[..., Any]:
    """Deploys the function and invokes it; returns the whole answer with its payload parsed."""
    resources = {
        "Role": role(),
        "Function": function("probe", SOURCE, Timeout=2, Environment={"Variables": {"ASOF_ENV": "dev"}}),
    }
    deployed(client("cloudformation"), "probe", template(resources))

    def call(do: str | None = None, **options: Any) -> Any:
        payload = json.dumps({"do": do}).encode()
        answer = client("lambda").invoke(FunctionName="probe", Payload=payload, **options)
        content = answer["Payload"].read()
        return {**answer, "Payload": json.loads(content) if content else None}

    return call


def test_runs_with_the_deployed_environment_in_a_warm_process(invoke: Callable[..., Any]) -> None:
    """The process is kept between invocations."""
    first, second = invoke()["Payload"], invoke()["Payload"]
    assert (first["environment"], first["name"]) == ("dev", "probe")
    assert second["count"] == first["count"] + 1
    assert 0 < first["left"] <= 2_000


def test_calls_the_local_cloud_in_the_name_of_its_role(invoke: Callable[..., Any]) -> None:
    """The unmodified SDK inside the function reaches the same cloud, signed by its role."""
    answer = invoke("call")["Payload"]
    assert answer["account"] == "123456789012"
    assert ":assumed-role/" in answer["arn"]


def test_an_exception_is_an_error_in_lambdas_shape(invoke: Callable[..., Any]) -> None:
    """With type, message, request and stack trace, and the header that says so."""
    answer = invoke("fail")
    assert answer["FunctionError"] == "Unhandled"
    assert (answer["Payload"]["errorType"], answer["Payload"]["errorMessage"]) == ("ValueError", "not that")
    assert answer["Payload"]["requestId"]
    assert "raise ValueError" in "".join(answer["Payload"]["stackTrace"])


def test_a_timeout_stops_the_function_and_the_next_call_starts_anew(invoke: Callable[..., Any]) -> None:
    """The deployed timeout is honoured."""
    answer = invoke("sleep")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer["Payload"]["errorMessage"]
    assert invoke()["Payload"]["count"] == 1


@pytest.mark.parametrize(
    ("do", "kind"),
    [("exit", "Runtime.ExitError"), ("unserializable", "Runtime.MarshalError"), ("import", "ModuleNotFoundError")],
)
def test_what_lambda_cannot_do_fails_here_too(invoke: Callable[..., Any], do: str, kind: str) -> None:
    """A process that ends, a result that is no JSON, a package that Lambda does not have."""
    assert invoke(do)["Payload"]["errorType"] == kind


def test_output_goes_to_the_log_and_embedded_metrics_to_cloudwatch(
    server: LocalServer, client: Callable[[str], Any], invoke: Callable[..., Any]
) -> None:
    """Lines are in the function's log group; the metric is there at the cloud's time."""
    answer = invoke("print", LogType="Tail")
    assert "hello from inside" in base64.b64decode(answer["LogResult"]).decode()
    events = client("logs").filter_log_events(logGroupName="/aws/lambda/probe")["events"]
    assert any("hello from inside" in event["message"] for event in events)
    now = server.now_ms() / 1_000
    found = client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName="Rows",
        Dimensions=[{"Name": "View", "Value": "v@v1"}],
        StartTime=now - 3_600,
        EndTime=now + 60,
        Period=3_600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in found] == [7.0]


def test_time_inside_is_the_clouds_time(server: LocalServer, invoke: Callable[..., Any]) -> None:
    """Moving the clock moves it for warm processes as well."""
    before = invoke()["Payload"]["time_ms"]
    server.advance("2h")
    after = invoke()["Payload"]["time_ms"]
    assert 7_200_000 <= after - before < 7_200_000 + 60_000


def test_reserved_concurrency_throttles(client: Callable[[str], Any], invoke: Callable[..., Any]) -> None:
    """A function that may not run at all answers 429."""
    invoke()
    client("lambda").put_function_concurrency(FunctionName="probe", ReservedConcurrentExecutions=0)
    try:
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            client("lambda").invoke(FunctionName="probe")
    finally:
        client("lambda").delete_function_concurrency(FunctionName="probe")


def test_updated_code_runs_in_a_new_process(client: Callable[[str], Any]) -> None:
    """An update through CloudFormation changes what the next invocation runs."""
    for answer in (1, 2):
        source = f"def handle(event, context): return {answer}"
        deployed(client("cloudformation"), "again", template({"Role": role(), "F": function("again", source)}))
        assert json.loads(client("lambda").invoke(FunctionName="again")["Payload"].read()) == answer


def test_other_runtimes_are_refused_by_name(client: Callable[[str], Any]) -> None:
    """The local cloud runs Python only, and says so."""
    resources = {"Role": role(), "F": function("node", "exports.handle = 1", Runtime="nodejs20.x")}
    deployed(client("cloudformation"), "node", template(resources))
    with pytest.raises(ClientError, match=r"runtime is nodejs20\.x, and only Python runs here"):
        client("lambda").invoke(FunctionName="node")


def test_calls_are_noted_by_role(server: LocalServer, invoke: Callable[..., Any], client: Callable[[str], Any]) -> None:
    """What a function's role did can be compared with what it may do."""
    invoke("call")
    role_arn = client("lambda").get_function_configuration(FunctionName="probe")["Role"]
    calls = {call.action for call in server.assembly.access.calls(role_arn)}
    assert calls == {"sts:GetCallerIdentity"}

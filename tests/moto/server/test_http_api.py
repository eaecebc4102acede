"""Deployed HTTP APIs answer over HTTP on the same port: routes, payloads, authorization, throttling, failures."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from asof.local.server import LocalServer
from tests.support.stacks import deployed, function, role, template

SOURCE = """
import json
def handle(event, context):
    what = event.get("queryStringParameters", {}).get("do")
    if what == "fail":
        raise ValueError("no")
    if what == "malformed":
        return {"statusCode": "many", "body": 5}
    if what == "plain":
        return {"just": "this"}
    if what == "binary":
        return {"statusCode": 201, "body": "AAEC", "isBase64Encoded": True, "headers": {"X-A": "b"}, "cookies": ["c=1"]}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""


def stack(name: str, routes: dict[str, str], *, permission: bool = True, **stage: Any) -> str:
    """An API of those routes (keys to authorization types) over one function."""
    api = {"Ref": "Api"}
    arn = {"Fn::GetAtt": ["F", "Arn"]}
    resources: dict[str, Any] = {
        "Role": role(),
        "F": function(name, SOURCE),
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": name, "ProtocolType": "HTTP"}},
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": api, "StageName": "$default", "AutoDeploy": True, **stage},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": arn,
                "PayloadFormatVersion": "2.0",
            },
        },
    }
    if permission:
        source = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*"}
        resources["Permission"] = {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": arn,
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": source,
            },
        }
    for number, (key, authorization) in enumerate(routes.items()):
        target = {"Fn::Sub": "integrations/${Integration}"}
        resources[f"Route{number}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {"ApiId": api, "RouteKey": key, "AuthorizationType": authorization, "Target": target},
        }
    return template(resources, {"Url": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}, "Id": api})


def ask(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Status, body (parsed where it is JSON) and headers of an answer."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            status, content, given = answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        status, content, given = error.code, error.read(), dict(error.headers)
    try:
        return status, json.loads(content), given
    except ValueError:
        return status, content, given


@pytest.fixture(scope="module")
def url(client: Callable[[str], Any]) -> str:
    """The address of an open API, from its stack's output."""
    routes = {"POST /echo": "NONE", "GET /items/{id}": "NONE", "ANY /all/{rest+}": "NONE", "GET /echo": "NONE"}
    return deployed(client("cloudformation"), "open", stack("open", routes))["Url"]


def test_the_output_is_an_address_that_answers(url: str) -> None:
    """With the event of payload format 2.0."""
    headers = {"Content-Type": "application/json", "Cookie": "a=1; b=2", "X-Thing": "yes"}
    status, event, given = ask(f"{url}/echo?x=1&x=2&y=", "POST", b'{"a": 1}', headers)
    assert status == 200
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /echo", "/echo")
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2&y=", {"x": "1,2", "y": ""})
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert (event["headers"]["x-thing"], event["cookies"]) == ("yes", ["a=1", "b=2"])
    assert event["requestContext"]["http"]["method"] == "POST"
    assert given["apigw-requestid"]


def test_paths_match_the_most_specific_route(url: str) -> None:
    """Variables and greedy variables are given to the function."""
    assert ask(f"{url}/items/a%20b")[1]["pathParameters"] == {"id": "a b"}
    _, event, _ = ask(f"{url}/all/x/y", "DELETE")
    assert (event["routeKey"], event["pathParameters"]) == ("ANY /all/{rest+}", {"rest": "x/y"})
    assert ask(f"{url}/nowhere")[:2] == (404, {"message": "Not Found"})
    assert ask(f"{url}/items/1", "POST", b"")[0] == 404


def test_binary_bodies_are_encoded_and_decoded(url: str) -> None:
    """What is not text arrives as Base64, and leaves as bytes."""
    _, event, _ = ask(f"{url}/echo", "POST", b"\x00\xff", {"Content-Type": "application/octet-stream"})
    assert (event["isBase64Encoded"], base64.b64decode(event["body"])) == (True, b"\x00\xff")
    status, content, given = ask(f"{url}/echo?do=binary")
    assert (status, content, given["x-a"], given["set-cookie"]) == (201, b"\x00\x01\x02", "b", "c=1")


def test_a_result_without_a_status_is_the_body(url: str) -> None:
    """As API Gateway infers it."""
    assert ask(f"{url}/echo?do=plain")[:2] == (200, {"just": "this"})


@pytest.mark.parametrize("do", ["fail", "malformed"])
def test_a_function_that_fails_is_a_500_and_counted(
    server: LocalServer, client: Callable[[str], Any], url: str, do: str
) -> None:
    """Nothing of the error reaches the caller; the metric has it."""
    assert ask(f"{url}/echo?do={do}")[:2] == (500, {"message": "Internal Server Error"})
    now = server.now_ms() / 1_000
    points = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApiGateway",
        MetricName="5xx",
        Dimensions=[{"Name": "ApiId", "Value": url.rpartition("/")[2]}],
        StartTime=now - 3_600,
        EndTime=now + 60,
        Period=3_600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert points[0]["Sum"] >= 1


def test_iam_routes_answer_signed_requests_only(server: LocalServer, client: Callable[[str], Any]) -> None:
    """Signed for execute-api in this region; the caller is in the event."""
    found = deployed(client("cloudformation"), "closed", stack("closed", {"GET /echo": "AWS_IAM"}))["Url"]
    assert ask(f"{found}/echo")[:2] == (403, {"message": "Forbidden"})
    for service, status in (("execute-api", 200), ("s3", 403)):
        request = AWSRequest("GET", f"{found}/echo")
        SigV4Auth(Credentials("local", "local"), service, server.region).add_auth(request)
        answer = ask(f"{found}/echo", headers=dict(request.headers.items()))
        assert answer[0] == status
        if status == 200:
            assert answer[1]["requestContext"]["authorizer"]["iam"]["accessKey"] == "local"


def test_too_many_requests_are_throttled(client: Callable[[str], Any]) -> None:
    """By the stage's rate and burst."""
    settings = {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 1}
    text = stack("slow", {"GET /echo": "NONE"}, DefaultRouteSettings=settings)
    found = deployed(client("cloudformation"), "slow", text)["Url"]
    assert [ask(f"{found}/echo")[0] for _ in range(2)] == [200, 429]


def test_an_api_without_permission_cannot_invoke(client: Callable[[str], Any]) -> None:
    """A missing Lambda permission is found here and not first on AWS."""
    found = deployed(client("cloudformation"), "bare", stack("bare", {"GET /echo": "NONE"}, permission=False))["Url"]
    assert ask(f"{found}/echo")[0] == 500


def test_an_api_answers_under_its_host_name_too(server: LocalServer, url: str) -> None:
    """As clients see it that take AWS's own host names."""
    host = f"{url.rpartition('/')[2]}.execute-api.{server.region}.amazonaws.com"
    assert ask(f"{server.endpoint}/echo", headers={"Host": host})[0] == 200

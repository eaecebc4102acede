"""DynamoDB without botocore: signed as botocore signs, errors judged as botocore's are, connections kept."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from asof.errors import DeadlineExceededError, OnlineStoreError, RequestError
from asof.online.faults import error_code, is_retryable
from asof.online.retry import RetryPolicy
from asof.online.signed import Credentials, ServiceError, SignedDynamoDB

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


class Stub(BaseHTTPRequestHandler):
    """Answers from a list; an answer of None closes the connection without a word."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes] | None]] = []
    requests: ClassVar[list[tuple[dict[str, str], bytes, Any]]] = []

    def do_POST(self) -> None:
        """One call."""
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.requests.append((headers, body, self.client_address))
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("content-length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def stub() -> Iterator[type[Stub]]:
    """A server on a free port of the loopback."""
    Stub.answers, Stub.requests = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Stub.port = server.server_address[1]  # type: ignore[attr-defined]  # where the client finds it
        yield Stub
        server.shutdown()
        thread.join()


@contextmanager
def client_of(stub: Any, **variables: str) -> Iterator[SignedDynamoDB]:
    """A client of the stub."""
    credentials = Credentials.of({**KEYS, **variables})
    endpoint = f"http://127.0.0.1:{stub.port}"
    with closing(SignedDynamoDB("eu-central-1", credentials, endpoint=endpoint, timeout_s=5)) as client:
        yield client


def answer(status: int = 200, **body: Any) -> tuple[int, bytes]:
    """An answer of the stub."""
    return status, json.dumps(body).encode()


@pytest.mark.parametrize("token", [None, "a-session-token"])
def test_a_request_is_signed_as_botocore_signs_it(stub: type[Stub], token: str | None) -> None:
    """The same headers under the same date give the same signature."""
    stub.answers = [answer(Items=[])]
    with client_of(stub, **({"AWS_SESSION_TOKEN": token} if token else {})) as client:
        client.query(TableName="t", Limit=1)
    ((headers, body, _),) = stub.requests
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request: Any = AWSRequest("POST", f"http://{headers['host']}/", {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    keys = BotocoreCredentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], token)
    auth = SigV4Auth(keys, "dynamodb", "eu-central-1")
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert headers["authorization"].endswith(f"Signature={expected}")
    assert headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert json.loads(body) == {"TableName": "t", "Limit": 1}
    assert ("x-amz-security-token" in signed) == (token is not None)


def test_bytes_come_back_as_bytes(stub: type[Stub]) -> None:
    """From a Query and from a BatchGetItem; an item without values is left as it is."""
    item = {"pk": {"S": "a"}, "v": {"B": b64encode(b"\x00\xff").decode()}, "e": {"N": "1"}}
    mark = {"pk": {"S": "#watermark"}, "w": {"N": "5"}}
    stub.answers = [answer(Items=[item, mark]), answer(Responses={"t": [item]}, UnprocessedKeys={})]
    packed = {**item, "v": {"B": b"\x00\xff"}}
    with client_of(stub) as client:
        assert client.query(TableName="t")["Items"] == [packed, mark]
        assert client.batch_get_item(RequestItems={})["Responses"] == {"t": [packed]}


def test_the_connection_is_kept(stub: type[Stub]) -> None:
    stub.answers = [answer(Items=[])] * 3
    with client_of(stub) as client:
        for _ in range(3):
            client.query(TableName="t")
    assert len({address for _, _, address in stub.requests}) == 1


def test_a_kept_connection_that_was_closed_is_opened_again(stub: type[Stub]) -> None:
    """The other side closes what is idle; the call is sent once more on a new connection."""
    stub.answers = [answer(Items=[]), None, answer(Items=[], Count=7)]
    with client_of(stub) as client:
        client.query(TableName="t")
        assert client.query(TableName="t")["Count"] == 7


def test_a_new_connection_that_is_closed_is_an_error_to_try_again(stub: type[Stub]) -> None:
    stub.answers = [None]
    with client_of(stub) as client, pytest.raises(OSError, match="closed") as caught:
        client.query(TableName="t")
    assert is_retryable(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "ProvisionedThroughputExceededException", True),
        (400, "ResourceNotFoundException", False),
        (500, "InternalServerError", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_a_refusal_is_judged_like_botocore_s(stub: type[Stub], status: int, code: str, retryable: bool) -> None:
    """By its code, without the service's prefix."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "made up"}
    stub.answers = [answer(status, **body)]
    with client_of(stub) as client, pytest.raises(ServiceError, match=f"{status} {code}: made up") as caught:
        client.query(TableName="t")
    assert error_code(caught.value) == code
    assert is_retryable(caught.value) is retryable


def test_an_answer_that_is_not_json_is_an_error_to_try_again(stub: type[Stub]) -> None:
    stub.answers = [(502, b"<html>Bad gateway</html>")]
    with client_of(stub) as client, pytest.raises(ServiceError, match="not JSON") as caught:
        client.query(TableName="t")
    assert is_retryable(caught.value)


def test_retries_meet_its_errors(stub: type[Stub]) -> None:
    """Throttled once: answered. Refused for good: an error of Asof at once."""
    throttled = answer(400, __type="x#ThrottlingException")
    stub.answers = [throttled, answer(Items=[], Count=3), answer(400, __type="x#ValidationException")]
    patience = RetryPolicy(deadline_ms=10_000, base_ms=1, sleep=lambda _: None).start("reading")
    with client_of(stub) as client:
        assert patience.call(lambda: client.query(TableName="t"))["Count"] == 3
        with pytest.raises(OnlineStoreError, match="ValidationException"):
            patience.call(lambda: client.query(TableName="t"))


def test_nobody_there_is_tried_until_the_deadline() -> None:
    client = SignedDynamoDB("eu-central-1", Credentials.of(KEYS), endpoint="http://127.0.0.1:9", timeout_s=0.2)
    patience = RetryPolicy(deadline_ms=1, base_ms=1, sleep=lambda _: None).start("reading")
    with pytest.raises(DeadlineExceededError, match="reading"):
        patience.call(lambda: client.query(TableName="t"))


def test_missing_credentials_are_named() -> None:
    with pytest.raises(RequestError, match="AWS_SECRET_ACCESS_KEY"):
        Credentials.of({"AWS_ACCESS_KEY_ID": "x"})


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "dynamodb.eu-central-1.amazonaws.com"), ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn")],
)
def test_without_an_endpoint_it_calls_aws(region: str, host: str) -> None:
    assert SignedDynamoDB(region, Credentials.of(KEYS))._host == host

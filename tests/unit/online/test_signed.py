"""DynamoDB without botocore: signed as botocore signs, errors judged as botocore's are, connections kept."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from binascii import crc32
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from asof.errors import DeadlineExceededError, OnlineStoreError, RequestError
from asof.online.faults import error_code, is_retryable
from asof.online.retry import RetryPolicy
from asof.online.signature import Signer
from asof.online.signed import Credentials, ServiceError, SignedDynamoDB, _text
from asof.online.wire import Answer

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


class Stub(BaseHTTPRequestHandler):
    """Answers from a list; an answer of None closes the connection without a word."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes] | None]] = []
    requests: ClassVar[list[tuple[dict[str, str], bytes, Any]]] = []
    headers_of_answers: ClassVar[dict[str, str]] = {}

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The date header, as ``ahead_s`` has it."""
        return super().date_time_string((timestamp or time.time()) + self.ahead_s)

    ahead_s: ClassVar[float] = 0

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
        for name, value in self.headers_of_answers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def stub() -> Iterator[type[Stub]]:
    """A server on a free port of the loopback."""
    Stub.answers, Stub.requests, Stub.headers_of_answers, Stub.ahead_s = [], [], {}, 0
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


def test_packed_values_are_written_as_base64(stub: type[Stub]) -> None:
    """And what a write gives back is restored."""
    old = {"pk": {"S": "a"}, "v": {"B": b64encode(b"\x01").decode()}}
    stub.answers = [answer(), answer(Attributes=old)]
    with client_of(stub) as client:
        assert client.put_item(TableName="t", Item={"v": {"B": b"\x00\xff"}}) == {}
        assert client.put_item(TableName="t")["Attributes"]["v"] == {"B": b"\x01"}
    assert json.loads(stub.requests[0][1])["Item"] == {"v": {"B": "AP8="}}


KEYS_OF_REQUESTS = st.lists(
    st.fixed_dictionaries(
        {"pk": st.fixed_dictionaries({"S": st.text()}), "sk": st.fixed_dictionaries({"S": st.text()})}
    )
)


@given(table=st.text(), keys=KEYS_OF_REQUESTS, consistent=st.booleans())
def test_keys_are_spelled_as_json_has_them(table: str, keys: list[Any], consistent: bool) -> None:
    request = {"RequestItems": {table: {"Keys": keys, "ConsistentRead": consistent}}}
    assert json.loads(_text(request)) == request


QUERY = st.fixed_dictionaries(
    {
        "TableName": st.text(),
        "KeyConditionExpression": st.text(),
        "ExpressionAttributeValues": st.dictionaries(st.text(), st.fixed_dictionaries({"S": st.text()})),
        "ProjectionExpression": st.text(),
        "ConsistentRead": st.booleans(),
    },
    optional={"Limit": st.integers(), "ExclusiveStartKey": st.just({"pk": {"S": "a"}})},
)


@given(request=QUERY)
def test_a_query_is_spelled_as_json_has_it(request: Any) -> None:
    """With and without what makes it more than a lookup's first page."""
    assert json.loads(_text(request)) == request


def test_a_query_by_another_type_is_spelled_as_well() -> None:
    request = {**dict.fromkeys(("TableName", "KeyConditionExpression", "ProjectionExpression"), "x")}
    other = {**request, "ExpressionAttributeValues": {":e": {"N": "1"}}, "ConsistentRead": False}
    assert json.loads(_text(other)) == other


@pytest.mark.parametrize("name", ["X-Amz-Crc32", "x-amz-crc32"])
@pytest.mark.parametrize("before", ["", "X-Old-X-Amz-Crc32: 1\r\n"])
def test_a_header_is_found_by_its_whole_name_in_any_case(name: str, before: str) -> None:
    """First, last, and beside one whose name ends alike."""
    head = f"HTTP/1.1 200 OK\r\n{before}{name}:  7 \r\nDate: now".lower().encode()
    answer = Answer(200, head, b"")
    assert (answer.header(b"x-amz-crc32"), answer.header(b"date"), answer.header(b"now")) == (b"7", b"now", None)


@pytest.mark.parametrize("key", [{"id": {"N": "1"}}, {"pk": {"N": "1"}, "sk": {"S": "a"}}])
def test_keys_of_other_tables_are_spelled_as_well(key: Any) -> None:
    request = {"RequestItems": {"t": {"Keys": [key]}}}
    assert json.loads(_text(request)) == request


def test_an_answer_damaged_on_its_way_is_an_error_to_try_again(stub: type[Stub]) -> None:
    """Its checksum says so, as it does to botocore; the connection is of no further use."""
    status, body = answer(Items=[])
    stub.answers = [(status, body), (status, body)]
    with client_of(stub) as client:
        stub.headers_of_answers = {"x-amz-crc32": str(crc32(body))}
        client.query(TableName="t")
        stub.headers_of_answers = {"x-amz-crc32": str(crc32(body) ^ 1)}
        with pytest.raises(OSError, match="checksum") as caught:
            client.query(TableName="t")
    assert is_retryable(caught.value)


def test_a_clock_that_is_off_is_corrected_by_the_services(stub: type[Stub]) -> None:
    """Refused once for its time, then signed by the service's; the correction is remembered."""
    stub.ahead_s = 3_600
    refused = answer(400, __type="x#InvalidSignatureException", message="Signature expired")
    stub.answers = [refused, answer(Items=[]), answer(Items=[])]
    with client_of(stub) as client:
        for _ in range(2):
            client.query(TableName="t")
    dates = [datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%S%z") for headers, _, _ in stub.requests]
    hours = [round((date - datetime.now(timezone.utc)).total_seconds() / 3600) for date in dates]
    assert hours == [0, 1, 1]


def test_a_refusal_that_no_clock_explains_is_not_repeated(stub: type[Stub]) -> None:
    stub.answers = [answer(400, __type="x#InvalidSignatureException", message="does not match")]
    with client_of(stub) as client, pytest.raises(ServiceError, match="does not match"):
        client.query(TableName="t")


def test_credentials_are_asked_for_before_each_call(stub: type[Stub]) -> None:
    """New ones are used at once, with their own key and token."""
    stub.answers = [answer(Items=[])] * 3
    given_ones = iter([Credentials("ONE", "a"), Credentials("ONE", "b"), Credentials("TWO", "b", "token")])
    endpoint = f"http://127.0.0.1:{stub.port}"  # type: ignore[attr-defined]  # set by the fixture
    with closing(SignedDynamoDB("eu-central-1", lambda: next(given_ones), endpoint=endpoint, timeout_s=5)) as client:
        for _ in range(3):
            client.query(TableName="t")
    authorizations = [headers["authorization"] for headers, _, _ in stub.requests]
    assert [each.split("Credential=")[1].split("/")[0] for each in authorizations] == ["ONE", "ONE", "TWO"]
    assert len({each.rpartition("=")[2] for each in authorizations}) == 3
    assert [headers.get("x-amz-security-token") for headers, _, _ in stub.requests] == [None, None, "token"]


def test_calls_at_once_have_connections_of_their_own(stub: type[Stub]) -> None:
    """And each thread gets the answer to its own call."""
    stub.answers = [answer(Items=[])] * 40
    with client_of(stub) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: client.query(TableName=f"t{i}"), range(40)))
    assert answers == [{"Items": []}] * 40
    assert len({address for _, _, address in stub.requests}) <= 4


@pytest.mark.parametrize(
    "date",
    ["", "now", "Sat, 21 Nov 2026", "Sat, 21 Nov 2026 03:00:00 GMT+1 x", "Sat, 21 Foo 2026 03:00:00 GMT"],
)
def test_a_date_that_is_none_corrects_nothing(date: str) -> None:
    signer = Signer("h", "eu-central-1", lambda: Credentials("a", "b"))
    assert signer.correct(date.encode()) is False


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

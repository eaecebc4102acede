"""Signatures beside botocore's own, over seconds, operations, credentials and bodies."""

from __future__ import annotations

from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.online.signature import Credentials, Signer

HOST = "dynamodb.eu-central-1.amazonaws.com"
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20)
CREDENTIALS = st.builds(Credentials, NAMES, NAMES, st.none() | NAMES)
SECONDS = st.integers(1_700_000_000, 1_700_400_000)
OPERATIONS = st.sampled_from(["Query", "BatchGetItem", "PutItem"])
CALLS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), OPERATIONS, st.binary(max_size=200)), max_size=8)


def by_botocore(headers: dict[str, str], names: list[str], body: bytes, credentials: Credentials) -> str:
    """The signature that botocore gives a request of these headers."""
    request: Any = AWSRequest("POST", f"http://{HOST}/", {name: headers[name] for name in names}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    keys = BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    auth = SigV4Auth(keys, "dynamodb", "eu-central-1")
    signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return signature


@settings(deadline=None)  # the first of them is slow, and a busy machine every one
@given(seconds=st.tuples(SECONDS, SECONDS), both=st.tuples(CREDENTIALS, CREDENTIALS), calls=CALLS)
def test_whatever_came_before_a_request_is_signed_as_botocore_signs_it(
    seconds: tuple[int, int], both: tuple[Credentials, Credentials], calls: list[tuple[int, int, str, bytes]]
) -> None:
    """One signer for all of them, in two seconds by two credentials: what it keeps of one is never another's."""
    current: list[Any] = []
    signer = Signer(HOST, "eu-central-1", lambda: current[1], lambda: current[0] + 0.25)
    for second, place, operation, body in calls:
        current[:] = seconds[second], both[place]
        credentials = both[place]
        head, _, sent = signer.signed(operation, body).partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        algorithm, credential, signed, signature = headers["authorization"].replace(", ", " ").split(" ")
        names = signed.removeprefix("SignedHeaders=").split(";")
        assert (first, algorithm, sent) == ("POST / HTTP/1.1", "AWS4-HMAC-SHA256", body)
        assert signature == f"Signature={by_botocore(headers, names, body, credentials)}"
        assert credential.split("/")[0] == f"Credential={credentials.access_key}"
        assert set(headers) == {*names, "authorization", "content-length"}
        assert headers.get("x-amz-security-token") == credentials.token
        assert headers["x-amz-target"] == f"DynamoDB_20120810.{operation}"
        assert headers["content-length"] == str(len(body))

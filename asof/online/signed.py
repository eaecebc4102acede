"""DynamoDB without botocore: the two reads a lookup makes, signed by hand. Standard library only.

botocore costs a cold start some 150 ms and a call most of its processor time; a lookup needs neither its retries
(``asof.online.retry``) nor its models. Signature version 4 as in
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any, Final

from asof.errors import RequestError
from asof.online.wire import ClosedError, Connection

if TYPE_CHECKING:
    import ssl

_TYPE: Final = "application/x-amz-json-1.0"
_TARGET: Final = "DynamoDB_20120810."
_SIGNED: Final = "content-type;host;x-amz-date;x-amz-target"


class ServiceError(OSError):
    """The service refused a call. ``response`` is as botocore's errors have it, so that both are judged alike."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        super().__init__(f"DynamoDB answered {status} {code}: {message}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with; a function finds its role's in its environment, fresh for as long as it lives."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Credentials:
        """The credentials of environment variables; raises RequestError where they are not set."""
        try:
            return cls(
                variables["AWS_ACCESS_KEY_ID"],
                variables["AWS_SECRET_ACCESS_KEY"],
                variables.get("AWS_SESSION_TOKEN"),
            )
        except KeyError as error:
            raise RequestError(
                f"{error} is not set; use boto3's client where credentials come from elsewhere"
            ) from None


class SignedDynamoDB:
    """``query`` and ``batch_get_item`` as boto3's client has them, over one kept connection per thread.

    ``endpoint`` replaces AWS's own, for the local cloud. ``timeout_s`` limits connecting and each wait for bytes.
    """

    def __init__(
        self, region: str, credentials: Credentials, *, endpoint: str | None = None, timeout_s: float = 1.0
    ) -> None:
        scheme, _, host = (endpoint or f"https://dynamodb.{region}.{_suffix(region)}").rstrip("/").partition("://")
        self._host = host
        self._tls = _tls() if scheme == "https" else None
        self._region = region
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._key = ("", b"")
        self._local = threading.local()

    def query(self, **request: Any) -> Any:
        """Query."""
        return self._call("Query", request, "Items")

    def batch_get_item(self, **request: Any) -> Any:
        """BatchGetItem."""
        return self._call("BatchGetItem", request, "Responses")

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _call(self, operation: str, request: Mapping[str, Any], items: str) -> Any:
        """One call; raises ServiceError where it is refused, and ConnectionError or TimeoutError where it is lost."""
        body = json.dumps(request, separators=(",", ":")).encode()
        headers = self._headers(_TARGET + operation, body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        status, text = self._send(head.encode("ascii") + body)
        try:
            answer = json.loads(text)
        except ValueError:
            raise ServiceError(status, "InternalServerError", f"not JSON: {text[:200]!r}") from None
        if status != 200:
            code = str(answer.get("__type", "")).rpartition("#")[2]
            raise ServiceError(status, code, str(answer.get("message", answer.get("Message", ""))))
        found = answer.get(items, [])
        for item in found if isinstance(found, list) else (each for table in found.values() for each in table):
            packed = item.get("v")
            if packed is not None and "B" in packed:
                packed["B"] = a2b_base64(packed["B"])
        return answer

    def _send(self, request: bytes) -> tuple[int, bytes]:
        """Send and receive; a kept connection that the other side has closed meanwhile is opened again, once."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.open:
            try:
                return connection.exchange(request)
            except ClosedError:
                pass  # reads change nothing, so sending one again is safe
        host, _, port = self._host.partition(":")
        connection = Connection(host, int(port or (443 if self._tls else 80)), self._tls, self._timeout_s)
        self._local.connection = connection
        return connection.exchange(request)

    def _headers(self, target: str, body: bytes) -> dict[str, str]:
        now = strftime("%Y%m%dT%H%M%SZ", gmtime())
        headers = {"content-type": _TYPE, "host": self._host, "x-amz-date": now, "x-amz-target": target}
        signed = _SIGNED
        if self._credentials.token:
            headers["x-amz-security-token"] = self._credentials.token
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        listed = "".join(f"{name}:{headers[name]}\n" for name in signed.split(";"))
        canonical = f"POST\n/\n\n{listed}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self._region}/dynamodb/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(now[:8]), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )
        return headers

    def _signing_key(self, day: str) -> bytes:
        """The key of a day, derived once."""
        known_day, key = self._key
        if known_day != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)
        return key


def _tls() -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context()


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"

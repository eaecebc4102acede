"""DynamoDB without botocore: the two reads of a lookup and the write of a load, signed by hand. Standard library only.

botocore costs a cold start some 150 ms and a call most of its processor time; a lookup needs neither its retries
(``asof.online.retry``) nor its models. Where more is needed, ``asof.online.client`` keeps to boto3.
"""

from __future__ import annotations

import json
import weakref
from binascii import a2b_base64, b2a_base64, crc32
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final

from asof.online.signature import Credentials, Signer
from asof.online.wire import Answer, ClosedError, Connection

if TYPE_CHECKING:
    import ssl

__all__ = ["Credentials", "ServiceError", "SignedDynamoDB"]

_CLOCK_CODES: Final = frozenset(
    {"InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}
)
"""What a request is refused with whose time is too far from the service's, among other reasons."""


class ServiceError(OSError):
    """The service refused a call. ``response`` is as botocore's errors have it, so that both are judged alike."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        self.code = code
        super().__init__(f"DynamoDB answered {status} {code}: {message}")


class SignedDynamoDB:
    """``query``, ``batch_get_item`` and ``put_item`` as boto3's client has them, over kept connections.

    ``credentials`` are fixed, or asked for before each call. ``endpoint`` replaces AWS's own, for the local cloud.
    ``timeout_s`` limits each wait for bytes, ``connect_timeout_s`` (the same if not given) connecting. ``trusted`` is a
    file of certificates, for others than the system's. It may be shared between threads; each call under way has a
    connection of its own. Those that are kept are closed with it.
    """

    def __init__(
        self,
        region: str,
        credentials: Credentials | Callable[[], Credentials],
        *,
        endpoint: str | None = None,
        timeout_s: float = 1.0,
        connect_timeout_s: float | None = None,
        trusted: str | None = None,
    ) -> None:
        scheme, _, host = (endpoint or f"https://dynamodb.{region}.{_suffix(region)}").rstrip("/").partition("://")
        self._host = host
        self._tls = _tls(trusted) if scheme == "https" else None
        current = (lambda: credentials) if isinstance(credentials, Credentials) else credentials
        self._signer = Signer(host, region, current)
        self._timeout_s = timeout_s
        self._connect_timeout_s = timeout_s if connect_timeout_s is None else connect_timeout_s
        self._idle: list[Connection] = []  # its append and pop are atomic
        weakref.finalize(self, _close, self._idle)

    def query(self, **request: Any) -> Any:
        """Query."""
        return self._call("Query", request, "Items")

    def batch_get_item(self, **request: Any) -> Any:
        """BatchGetItem."""
        return self._call("BatchGetItem", request, "Responses")

    def put_item(self, **request: Any) -> Any:
        """PutItem, which is sent again where its answer was lost: it must say the same when it is repeated."""
        return self._call("PutItem", request, "Attributes")

    def close(self) -> None:
        """Close the connections that are kept; the next call opens another."""
        _close(self._idle)

    def _call(self, operation: str, request: Mapping[str, Any], items: str) -> Any:
        """One call; raises ServiceError where it is refused, and ConnectionError or TimeoutError where it is lost."""
        body = _text(request).encode()
        answer = self._send(self._signer.signed(operation, body))
        if answer.status != 200:
            error = _refusal(answer)
            date = answer.header(b"date")
            if error.code not in _CLOCK_CODES or date is None or not self._signer.correct(date):
                raise error
            answer = self._send(self._signer.signed(operation, body))
            if answer.status != 200:
                raise _refusal(answer)
        checksum = answer.header(b"x-amz-crc32")
        if checksum is not None and crc32(answer.body) != int(checksum):
            raise ConnectionError("the answer was damaged on its way: its checksum is not the one it came with")
        found = _parsed(answer)
        for item in _items(found, items):
            if "v" in item and "B" in (packed := item["v"]):
                packed["B"] = a2b_base64(packed["B"])  # which DynamoDB sends them as
        return found

    def _send(self, request: bytes) -> Answer:
        """Send and receive; over a new connection, once, where the kept one was closed by the other side meanwhile."""
        try:
            connection, kept = self._idle.pop(), True
        except IndexError:
            connection, kept = self._connect(), False
        try:
            answer = connection.exchange(request)
        except ClosedError:
            if not kept:
                raise
            connection = self._connect()
            answer = connection.exchange(request)  # everything that is sent here may be sent again
        if connection.open:
            self._idle.append(connection)
        return answer

    def _connect(self) -> Connection:
        host, _, port = self._host.partition(":")
        number = int(port or (443 if self._tls else 80))
        return Connection(host, number, self._tls, self._timeout_s, self._connect_timeout_s)


def _text(request: Mapping[str, Any]) -> str:
    """A request's JSON. What a lookup sends, the keys nearly all of it, is spelled without looking at each part again.

    Anything else is left to the encoder, as is what only resembles a lookup's.
    """
    try:
        if "RequestItems" in request and len(request) == 1:
            tables = request["RequestItems"].items()
            return (
                f'{{"RequestItems":{{{",".join([f"{quoted(name)}:{_batch_text(batch)}" for name, batch in tables])}}}}}'
            )
        if request.keys() == _LOOKUP:
            return _query_text(**request)
    except (KeyError, TypeError):  # keys of another table's
        pass
    return _encode(request)


def _batch_text(batch: Mapping[str, Any]) -> str:
    keys: Sequence[Mapping[str, Any]] = batch["Keys"]
    spelled = [f'{{"pk":{{"S":{quoted(key["pk"]["S"])}}},"sk":{{"S":{quoted(key["sk"]["S"])}}}}}' for key in keys]
    others = "".join([f",{quoted(name)}:{_encode(value)}" for name, value in batch.items() if name != "Keys"])
    return f'{{"Keys":[{",".join(spelled)}]{others}}}'


_LOOKUP: Final = {
    "TableName",
    "KeyConditionExpression",
    "ExpressionAttributeValues",
    "ProjectionExpression",
    "ConsistentRead",
}
"""What a Query says that ``_query_text`` spells."""


def _query_text(
    *,
    TableName: str,  # noqa: N803 # DynamoDB's names, here and below
    KeyConditionExpression: str,  # noqa: N803
    ExpressionAttributeValues: Mapping[str, Mapping[str, str]],  # noqa: N803
    ProjectionExpression: str,  # noqa: N803
    ConsistentRead: bool,  # noqa: N803
) -> str:
    """Raises KeyError or TypeError where a value is no text."""
    values = [f'{quoted(name)}:{{"S":{quoted(value["S"])}}}' for name, value in ExpressionAttributeValues.items()]
    return (
        f'{{"TableName":{quoted(TableName)},"KeyConditionExpression":{quoted(KeyConditionExpression)},'
        f'"ExpressionAttributeValues":{{{",".join(values)}}},"ProjectionExpression":{quoted(ProjectionExpression)},'
        f'"ConsistentRead":{"true" if ConsistentRead else "false"}}}'
    )


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    raise TypeError(f"a {type(value).__name__} has no place in a request")


_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_base64).encode
_decode: Final = json.JSONDecoder().decode


def _parsed(answer: Answer) -> dict[str, Any]:
    """The object an answer holds; raises ServiceError where it holds none."""
    try:
        found = _decode(str(answer.body, "utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        shown = bytes(answer.body[:200])
        raise ServiceError(answer.status, "InternalServerError", f"not JSON, or no object: {shown!r}") from None
    return found


def _refusal(answer: Answer) -> ServiceError:
    """What the service says of a call that it refused."""
    found = _parsed(answer)
    code = str(found.get("__type", "")).rpartition("#")[2]
    return ServiceError(answer.status, code, str(found.get("message", found.get("Message", ""))))


def _items(found: Mapping[str, Any], where: str) -> Iterable[dict[str, Any]]:
    """The items of an answer, which every operation has in a form of its own: a list, one item, lists by table."""
    held = found.get(where)
    if not held or isinstance(held, list):
        return held or ()
    return (held,) if where == "Attributes" else chain.from_iterable(held.values())


def _close(idle: list[Connection]) -> None:
    while idle:
        idle.pop().close()


def _tls(trusted: str | None) -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context(cafile=trusted)


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"

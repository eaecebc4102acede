"""A DynamoDB small enough to read, and a wrapper that injects faults into any client of boto3's shape."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from asof.clock import ManualClock

Item = dict[str, dict[str, Any]]

_TERM = re.compile(r"attribute_not_exists\((\w+)\)|(\w+) (<|=) (:\w+)")


def client_error(code: str, operation: str, status: int = 400) -> ClientError:
    """An error as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": f"made up: {code}"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # the stub wants all of the metadata
        operation,
    )


class FakeDynamoDB:
    """PutItem with conditions, Query by partition and span of sort keys, BatchGetItem with its limits."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._lock = threading.Lock()

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803, ARG002 - boto3's spelling, here and below
        Item: Item,  # noqa: N803
        ConditionExpression: str = "",  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        """PutItem."""
        with self._lock:
            key = (Item["pk"]["S"], Item["sk"]["S"])
            stored, values = self.items.get(key, {}), ExpressionAttributeValues or {}
            if ConditionExpression and not _holds(ConditionExpression, stored, values):
                raise client_error("ConditionalCheckFailedException", "PutItem")
            self.items[key] = Item
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        """Query."""
        if request["KeyConditionExpression"] != "pk = :pk AND sk BETWEEN :first AND :last":
            raise client_error("ValidationException", "Query")
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        after = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        found = sorted(
            sk
            for pk, sk in self.items
            if pk == values[":pk"]
            and values[":first"].encode() <= sk.encode() <= values[":last"].encode()
            and sk > after
        )
        limit = request.get("Limit", len(found))
        page = [self.items[values[":pk"], sk] for sk in found[:limit]]
        answer: dict[str, Any] = {"Items": [_projected(item, request["ProjectionExpression"]) for item in page]}
        if limit < len(found):
            answer["LastEvaluatedKey"] = {"pk": page[-1]["pk"], "sk": page[-1]["sk"]}
        return answer

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        """BatchGetItem."""
        ((table, request),) = RequestItems.items()
        keys = [(key["pk"]["S"], key["sk"]["S"]) for key in request["Keys"]]
        if not keys or len(keys) > 100 or len(set(keys)) < len(keys):
            raise client_error("ValidationException", "BatchGetItem")
        # DynamoDB promises no order.
        found = [self.items[key] for key in reversed(keys) if key in self.items]
        items = [_projected(item, request["ProjectionExpression"]) for item in found]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}


class FaultyClient:
    """Passes calls on to another client, and lets them fail, lag, or be answered in part as told.

    ``calls`` lists (operation, arguments). ``errors`` are raised one per call until none is left; ``keep_back`` says,
    per coming BatchGetItem call, how many keys are left unprocessed; ``page_size`` limits a Query's page; each call
    moves ``clock`` on by ``delay_ms``.
    """

    def __init__(self, inner: Any, clock: ManualClock) -> None:
        self._inner = inner
        self._clock = clock
        self._lock = threading.Lock()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self.always: Exception | None = None
        self.keep_back: list[int] = []
        self.page_size: int | None = None
        self.delay_ms = 0

    def throttle(self, times: int, code: str = "ProvisionedThroughputExceededException") -> None:
        """Lets the coming calls fail with a code."""
        self.errors += [client_error(code, "Any") for _ in range(times)]

    def operations(self) -> list[str]:
        """The names of the calls so far."""
        return [operation for operation, _ in self.calls]

    def put_item(self, **request: Any) -> Any:
        """PutItem."""
        return self._call("put_item", request)

    def query(self, **request: Any) -> Any:
        """Query."""
        return self._call("query", request if self.page_size is None else {**request, "Limit": self.page_size})

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Any:  # noqa: N803
        """BatchGetItem."""
        ((table, request),) = RequestItems.items()
        kept = self.keep_back.pop(0) if self.keep_back else 0
        keys = request["Keys"]
        done, left = keys[: len(keys) - kept], keys[len(keys) - kept :]
        answer: dict[str, Any] = {"Responses": {}}
        if done:
            answer = self._call("batch_get_item", {"RequestItems": {table: {**request, "Keys": done}}})
        else:
            self._note("batch_get_item", {"RequestItems": RequestItems})
        if left:
            answer["UnprocessedKeys"] = {table: {**request, "Keys": left}}
        return answer

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        self._note(operation, request)
        call: Callable[..., Any] = getattr(self._inner, operation)
        return call(**request)

    def _note(self, operation: str, request: dict[str, Any]) -> None:
        with self._lock:
            self.calls.append((operation, request))
            self._clock.set(self._clock.now_ms() + self.delay_ms)
            if self.errors:
                raise self.errors.pop(0)
            if self.always is not None:
                raise self.always


def _holds(condition: str, item: Item, values: Item) -> bool:
    """Whether a condition of the writer's grammar, ``A OR B OR (C AND D)``, holds of an item."""

    def term(match: re.Match[str]) -> str:
        if match[1]:
            return str(match[1] not in item)
        if match[2] not in item:
            return "False"
        stored, given = int(item[match[2]]["N"]), int(values[match[4]]["N"])
        return str(stored < given if match[3] == "<" else stored == given)

    text = _TERM.sub(term, condition).replace("AND", "and").replace("OR", "or")
    return bool(eval(text, {"__builtins__": {}}))


def _projected(item: Item, projection: str) -> Item:
    wanted = projection.split(", ")
    return {name: value for name, value in item.items() if name in wanted}

"""Getting items by key from DynamoDB, all of them or an error: one Query, or BatchGetItem in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from asof.online.retry import Patience

BATCH_LIMIT: Final = 100
"""Keys one BatchGetItem takes."""

ItemKey = tuple[str, str]
"""Partition key and sort key."""

Items = dict[ItemKey, Mapping[str, Mapping[str, Any]]]

_PROJECTION: Final = "pk, sk, v, e, w"


class ReadClient(Protocol):
    """The part of boto3's DynamoDB client that the reader needs."""

    def query(self, *args: Any, **kwargs: Any) -> Any:
        """Query."""
        ...

    def batch_get_item(self, *args: Any, **kwargs: Any) -> Any:
        """BatchGetItem."""
        ...


def fetch(client: ReadClient, table: str, keys: Iterable[ItemKey], consistent: bool, patience: Patience) -> Items:
    """The items that exist under these distinct keys; a key that is not in the answer has no item, for certain.

    Several items of one partition are read by one Query over the span of their sort keys (neighbours in between come
    along: packed items are small, and a Query is paid by its bytes in total, BatchGetItem by each item rounded up).
    Anything else goes in BatchGetItem calls of 100 keys, with unprocessed keys tried again.

    Raises DeadlineExceededError or OnlineStoreError; an incomplete answer is never returned.
    """
    wanted = list(keys)
    if len(wanted) > 1 and all(partition == wanted[0][0] for partition, _ in wanted):
        return _query(client, table, wanted, consistent, patience)
    return _batch_get(client, table, wanted, consistent, patience)


def _query(client: ReadClient, table: str, keys: list[ItemKey], consistent: bool, patience: Patience) -> Items:
    sort_keys = [sort_key for _, sort_key in keys]
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
        # DynamoDB orders strings by their UTF-8 bytes; sort keys are ASCII, for which Python's order is the same.
        "ExpressionAttributeValues": {
            ":pk": {"S": keys[0][0]},
            ":first": {"S": min(sort_keys)},
            ":last": {"S": max(sort_keys)},
        },
        "ProjectionExpression": _PROJECTION,
        "ConsistentRead": consistent,
    }
    items: Items = {}
    while True:
        page = patience.call(lambda: client.query(**request))
        _add(items, page["Items"])
        if not page.get("LastEvaluatedKey"):
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _batch_get(client: ReadClient, table: str, keys: list[ItemKey], consistent: bool, patience: Patience) -> Items:
    items: Items = {}
    pending = [{"pk": {"S": partition}, "sk": {"S": sort_key}} for partition, sort_key in keys]
    while pending:
        chunk, pending = pending[:BATCH_LIMIT], pending[BATCH_LIMIT:]
        request = {table: {"Keys": chunk, "ProjectionExpression": _PROJECTION, "ConsistentRead": consistent}}
        page = patience.call(lambda request=request: client.batch_get_item(RequestItems=request))  # type: ignore[misc]  # mypy cannot type a lambda's default
        _add(items, page["Responses"].get(table, []))
        left_over = page.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if left_over:
            pending = [*left_over, *pending]
            patience.wait(f"DynamoDB left {len(left_over)} of {len(chunk)} keys unprocessed")
    return items


def _add(items: Items, found: Iterable[Mapping[str, Mapping[str, Any]]]) -> None:
    for item in found:
        items[item["pk"]["S"], item["sk"]["S"]] = item

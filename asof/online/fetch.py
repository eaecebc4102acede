"""Getting items by key from DynamoDB, all of them or an error: one Query, or BatchGetItem in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from asof.online.layout import Item
from asof.online.retry import Patience

BATCH_LIMIT: Final = 100
"""Keys one BatchGetItem takes."""

Wanted = Mapping[str, Sequence[str]]
"""Distinct partition keys by sort key: a view's items are those of one sort key."""

Items = dict[str, dict[str, Item]]
"""Items by sort key and partition key."""

_PROJECTION: Final = "pk, sk, v, e, w"


class ReadClient(Protocol):
    """The part of boto3's DynamoDB client that the reader needs."""

    def query(self, *args: Any, **kwargs: Any) -> Any:
        """Query."""
        ...

    def batch_get_item(self, *args: Any, **kwargs: Any) -> Any:
        """BatchGetItem."""
        ...


def fetch(client: ReadClient, table: str, wanted: Wanted, consistent: bool, patience: Patience) -> Items:
    """The items that exist under these keys; a key that is not in the answer has no item, for certain.

    Several items of one partition are read by one Query over the span of their sort keys (neighbours in between come
    along: packed items are small, and a Query is paid by its bytes in total, BatchGetItem by each item rounded up).
    Anything else goes in BatchGetItem calls of 100 keys, with unprocessed keys tried again.

    Raises DeadlineExceededError or OnlineStoreError; an incomplete answer is never returned.
    """
    first = next(iter(wanted.values()), ())
    if len(wanted) > 1 and len(first) == 1 and all(partitions == first for partitions in wanted.values()):
        found = _query(client, _span(table, first[0], wanted, consistent), patience)
    else:
        found = _batch_get(client, table, _keys(wanted), consistent, patience)
    items: Items = {sort_key: {} for sort_key in wanted}
    for item in found:
        under = items.get(item["sk"]["S"])
        if under is not None:  # else a neighbour that nobody asked for
            under[item["pk"]["S"]] = item
    return items


def _span(table: str, partition: str, sort_keys: Iterable[str], consistent: bool) -> dict[str, Any]:
    """The Query of one partition from the first to the last of some sort keys."""
    return {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
        # DynamoDB orders strings by their UTF-8 bytes; sort keys are ASCII, for which Python's order is the same.
        "ExpressionAttributeValues": {
            ":pk": {"S": partition},
            ":first": {"S": min(sort_keys)},
            ":last": {"S": max(sort_keys)},
        },
        "ProjectionExpression": _PROJECTION,
        "ConsistentRead": consistent,
    }


def _query(client: ReadClient, request: dict[str, Any], patience: Patience) -> list[Item]:
    """The items of every page of a Query."""
    items: list[Item] = []
    while True:
        page = patience.call(lambda: client.query(**request))
        items += page["Items"]
        if not page.get("LastEvaluatedKey"):
            return items
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _batch_get(
    client: ReadClient, table: str, pending: Sequence[Item], consistent: bool, patience: Patience
) -> list[Item]:
    """The items of all keys."""
    items: list[Item] = []
    while pending:
        chunk, pending = pending[:BATCH_LIMIT], pending[BATCH_LIMIT:]
        request = {table: {"Keys": chunk, "ProjectionExpression": _PROJECTION, "ConsistentRead": consistent}}
        page = patience.call(lambda request=request: client.batch_get_item(RequestItems=request))  # type: ignore[misc]  # mypy cannot type a lambda's default
        items += page["Responses"].get(table, [])
        left_over = page.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if left_over:
            pending = [*left_over, *pending]
            patience.wait(f"DynamoDB left {len(left_over)} of {len(chunk)} keys unprocessed")
    return items


def _keys(wanted: Wanted) -> list[Item]:
    """The keys as DynamoDB spells them."""
    keys: list[Item] = []
    for sort_key, partitions in wanted.items():
        sk = {"S": sort_key}
        keys += [{"pk": {"S": partition}, "sk": sk} for partition in partitions]
    return keys

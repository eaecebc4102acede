"""Reading a whole table, page by page; for operations, never for lookups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from asof.online.retry import RetryPolicy

SCAN_RETRY: Final = RetryPolicy(deadline_ms=60_000, base_ms=25, cap_ms=5_000)
"""How long one page is tried."""


def scan_pages(client: Any, table: str, *, retry: RetryPolicy = SCAN_RETRY, **request: Any) -> Iterator[dict[str, Any]]:
    """The pages of a scan; further arguments as DynamoDB's Scan takes them, ``ExclusiveStartKey`` among them.

    Raises DeadlineExceededError or OnlineStoreError where a page cannot be read.
    """
    request["TableName"] = table
    while True:
        page: dict[str, Any] = retry.start(f"scanning {table}").call(lambda: client.scan(**request))
        yield page
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

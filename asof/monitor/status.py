"""How a view stands: how far it is published, how old its data is, when its next run is due, what lies online."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asof.keys import WATERMARK_KEY
from asof.manifest import FeatureView
from asof.materialize.ledger import Watermark
from asof.online.scan import scan_pages

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

State = Literal["retired", "deprecated", "never run", "stale", "fresh", "published"]


@dataclass(frozen=True, slots=True)
class ViewStatus:
    """A view at an instant. ``age_ms`` is the age of its newest data; ``due_ms`` when the next run has something to do.

    ``due_ms`` lies in the past where a run is overdue, and is None for a view that no schedule runs.
    """

    state: State
    age_ms: int | None
    due_ms: int | None


def view_status(view: FeatureView, watermark: Watermark | None, now_ms: int, *, retired: bool = False) -> ViewStatus:
    """The status of a view; ``published`` is one that promises no freshness, so nothing can be said of it."""
    age_ms = None if watermark is None else watermark.age_ms(now_ms)
    due_ms = now_ms if watermark is None else watermark.through_ms + view.step_ms + view.publish_delay_ms
    if retired or view.deprecated:
        return ViewStatus("retired" if retired else "deprecated", age_ms, None)
    if age_ms is None:
        return ViewStatus("never run", None, due_ms)
    if view.freshness_ms is None:
        return ViewStatus("published", age_ms, due_ms)
    return ViewStatus("stale" if age_ms > view.freshness_ms else "fresh", age_ms, due_ms)


def count_items(client: DynamoDBClient, table: str) -> Counter[str]:
    """The items of the online table per view version, by one scan over all of it, which is paid by its bytes.

    One scan that reads the sort keys costs what a scan that only counts costs, and serves all views.
    """
    pages = scan_pages(client, table, ProjectionExpression="pk, sk")
    return Counter(item["sk"]["S"] for page in pages for item in page["Items"] if item["pk"]["S"] != WATERMARK_KEY)

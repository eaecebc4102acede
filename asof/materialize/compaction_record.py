"""What is known of compactions: one item each in the control table, beside the ledger of the view's runs.

The partition key is ``<view>@v<N>#compaction``, with a lease of its own: a compaction keeps no run waiting.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from asof.manifest import FeatureView
from asof.materialize.lease import Lease
from asof.materialize.services import Services

Stage = Literal["checked", "swapped", "swept"]

_PREFIX = "compaction#"


@dataclass(frozen=True, slots=True)
class CompactionRecord:
    """One swap of partitions, and how far it has come.

    ``before`` maps event dates to the runs whose partitions are replaced, ``after`` to where their rows are now.
    ``checked``: the new rows are known to be the old ones; whoever finds this registers them. ``swapped``: only the
    new partitions are registered. ``swept``: the old objects are deleted.
    """

    attempt: str
    stage: Stage
    now_ms: int
    before: Mapping[str, list[str]] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    scanned_bytes: int = 0

    @property
    def partitions(self) -> int:
        """How many partitions are replaced."""
        return sum(len(runs) for runs in self.before.values())

    def replaced(self) -> list[tuple[str, str]]:
        """The partitions that are replaced, as ``(event_date, run)``."""
        return [(event_date, run) for event_date, runs in self.before.items() for run in runs]


def ledger_key(view: FeatureView) -> str:
    """The partition key of a view's compactions."""
    return f"{view.reference}#compaction"


def keep(lease: Lease, record: CompactionRecord) -> CompactionRecord:
    """Record how far a compaction has come; raises LeaseLostError, and records nothing, without its lease."""
    body = json.dumps(dataclasses.asdict(record), sort_keys=True, separators=(",", ":"))
    item = {"pk": {"S": lease.view}, "sk": {"S": f"{_PREFIX}{record.attempt}"}, "body": {"S": body}}
    lease.record([{"Put": {"TableName": lease.table, "Item": item}}])
    return record


def compactions(services: Services, view: FeatureView) -> list[CompactionRecord]:
    """All compactions of a view, oldest first."""
    pages = services.dynamodb.get_paginator("query").paginate(
        TableName=services.environment.control_table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": ledger_key(view)}, ":prefix": {"S": _PREFIX}},
        ConsistentRead=True,
    )
    items: list[Any] = [item for page in pages for item in page["Items"]]
    return [CompactionRecord(**json.loads(item["body"]["S"])) for item in items]

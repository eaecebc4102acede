"""The ledger: what is known to have been done, one item per fact in the control table.

| sort key                  | fact                                                                     |
|---------------------------|--------------------------------------------------------------------------|
| ``lease``                 | who is at work (``asof.materialize.lease``)                              |
| ``watermark``             | grid times ``[first_ms, through_ms]`` are published                      |
| ``run#<id>``              | a run, whole, and whether it is open, published or abandoned             |
| ``run#<id>#chunk#<nnnnn>``| how far a chunk has come, by which attempt, with its counts              |

The partition key is the view's reference. Readers may read any time; every write goes through the lease.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from asof.keys import WATERMARK_KEY
from asof.materialize.lease import Lease, Write
from asof.materialize.stages import RECORDED, Chunk, Run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RunState = Literal["open", "published", "abandoned"]


@dataclass(frozen=True, slots=True)
class Watermark:
    """What is published of a view: every grid time from ``first_ms`` to ``through_ms``, both inclusive.

    ``newest_ms`` is the event time of the newest source row among them, None where there was none.
    """

    first_ms: int
    through_ms: int
    newest_ms: int | None = None

    def age_ms(self, now_ms: int) -> int:
        """How old the newest data is: it grows where runs fail to advance, and where the source has fallen silent."""
        newest_ms = self.through_ms if self.newest_ms is None else min(self.newest_ms, self.through_ms)
        return now_ms - newest_ms


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """How far a chunk has come. ``partitions`` maps an event date to the location of the attempt's rows.

    ``newest_ms`` is the greatest event time the source had for it, None where it had none.
    """

    stage: str
    attempt: str
    now_ms: int
    partitions: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    quarantined: int = 0
    too_late: int = 0
    scanned_bytes: int = 0
    newest_ms: int | None = None

    def reached(self, stage: str) -> bool:
        """Whether the chunk has come at least as far as ``stage``."""
        return self.stage in RECORDED[RECORDED.index(stage) :]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run and what became of it. ``owner`` is who planned it, as the lease names them; empty in older records."""

    run: Run
    state: RunState
    started_ms: int
    ended_ms: int | None = None
    rows: int = 0
    written: int = 0
    quarantined: int = 0
    too_late: int = 0
    scanned_bytes: int = 0
    error: str = ""
    owner: str = ""


class LedgerReader:
    """Reads the ledger of any view."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def watermark(self, view: str) -> Watermark | None:
        """The view's watermark; None where nothing was ever published."""
        item = self._get(view, "watermark")
        return Watermark(**json.loads(item["body"]["S"])) if item else None

    def run(self, view: str, run_id: str) -> RunRecord | None:
        """One run by its id."""
        item = self._get(view, f"run#{run_id}")
        return _run_record(item["body"]["S"]) if item else None

    def runs(self, view: str) -> list[RunRecord]:
        """All runs of a view, oldest first (run ids sort by their time)."""
        return [
            _run_record(item["body"]["S"]) for item in self._query(view, "run#") if "#chunk#" not in item["sk"]["S"]
        ]

    def last_run(self, view: str) -> RunRecord | None:
        """The newest run of a view, looked for from the end: the price does not grow with the number of runs."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": view}, ":prefix": {"S": "run#"}},
            ConsistentRead=True,
            ScanIndexForward=False,
            PaginationConfig={"PageSize": 50},
        )
        items = (item for page in pages for item in page["Items"])
        return next((_run_record(item["body"]["S"]) for item in items if "#chunk#" not in item["sk"]["S"]), None)

    def chunks(self, view: str, run_id: str) -> dict[int, ChunkRecord]:
        """The recorded chunks of a run, by index."""
        prefix = f"run#{run_id}#chunk#"
        return {
            int(item["sk"]["S"].removeprefix(prefix)): ChunkRecord(**json.loads(item["body"]["S"]))
            for item in self._query(view, prefix)
        }

    def _get(self, view: str, sort: str) -> Any:
        key: Any = {"pk": {"S": view}, "sk": {"S": sort}}
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, view: str, prefix: str) -> list[Any]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": view}, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


class Ledger:
    """Writes the ledger of one view; without its lease every method raises LeaseLostError and writes nothing."""

    def __init__(self, lease: Lease, online_table: str) -> None:
        self._lease = lease
        self._online_table = online_table

    def record_run(self, record: RunRecord) -> None:
        """Record a run's beginning, or what stopped it."""
        self._lease.record([self._put(f"run#{record.run.run_id}", dataclasses.asdict(record))])

    def record_chunk(self, run: Run, chunk: Chunk, record: ChunkRecord) -> None:
        """Record how far a chunk has come."""
        self._lease.record([self._put(f"run#{run.run_id}#chunk#{chunk.index:05d}", dataclasses.asdict(record))])

    def publish(self, record: RunRecord, watermark: Watermark) -> None:
        """Close the run and advance the watermark, in the control table and for lookups, in one transaction."""
        view = self._lease.view
        self._lease.record(
            [
                self._put(f"run#{record.run.run_id}", dataclasses.asdict(record)),
                self._put("watermark", dataclasses.asdict(watermark)),
                {
                    "Put": {
                        "TableName": self._online_table,
                        "Item": {
                            "pk": {"S": WATERMARK_KEY},
                            "sk": {"S": view},
                            "w": {"N": str(watermark.through_ms)},
                        },
                    }
                },
            ]
        )

    def _put(self, sort: str, body: dict[str, Any]) -> Write:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        item = {"pk": {"S": self._lease.view}, "sk": {"S": sort}, "body": {"S": text}}
        return {"Put": {"TableName": self._lease.table, "Item": item}}


def _run_record(text: str) -> RunRecord:
    body = json.loads(text)
    run = body.pop("run")
    chunks = tuple(Chunk(**chunk) for chunk in run.pop("chunks"))
    return RunRecord(run=Run(**run, chunks=chunks), **body)

"""The data of a query execution, apart from how it was asked for and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FINAL_STATES: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What ``StartQueryExecution`` was given, with the workgroup's settings not yet applied."""

    sql: str
    database: str = "default"
    catalog: str = "AwsDataCatalog"
    workgroup: str = "primary"
    output_location: str | None = None
    token: str | None = None
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result: its name and Athena's name of its type, with precision and scale as Athena reports."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement that succeeded left behind.

    ``output`` is the S3 URI of the result file (None for statements whose data is elsewhere), ``manifest`` the URI of
    the list of written files, ``update_count`` the rows written.
    """

    statement_type: str
    substatement_type: str
    output: str | None = None
    manifest: str | None = None
    columns: tuple[ResultColumn, ...] = ()
    scanned_bytes: int = 0
    update_count: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Where a statement runs. ``results`` is the S3 folder of its workgroup's results, with a final slash.

    ``enforced`` says that the workgroup allows no other place; ``cutoff`` is its limit of scanned bytes, if any.
    """

    query_id: str
    database: str
    results: str
    enforced: bool = False
    cutoff: int | None = None


@dataclass(slots=True)
class Execution:
    """One query execution. Only the service changes it. Times are milliseconds since the epoch."""

    id: str
    request: QueryRequest
    submitted_ms: int
    state: str = "QUEUED"
    completed_ms: int | None = None
    reason: str | None = None
    error: Mapping[str, object] | None = None
    output_location: str | None = None
    outcome: Outcome = field(default_factory=lambda: Outcome("DML", "SELECT"))

"""Faults as data: what each does to a local cloud, and how it must end."""

from __future__ import annotations

from collections.abc import Callable

from asof.local.faults import Faults

STATES = (
    "Begin", "AnythingToDo", "Chunks", "Step", "Committed", "Query", "Chunk", "PlanLoad", "AnythingToLoad", "Unload",
    "Load", "LoadObject", "WholeObject", "Loaded", "Publish", "OldRun", "Published",
)  # fmt: skip
"""The states of a run of one chunk, in the order in which they are first entered."""

TASKS = ("Begin", "Step", "Query", "PlanLoad", "Unload", "LoadObject", "Publish")
"""Those of them that do something."""


def throttled_lease(faults: Faults) -> None:
    """Taking the lease, what is recorded in its name, and the last record of all."""
    faults.throttle("dynamodb", "UpdateItem", containing="if_not_exists", times=2)
    faults.throttle("dynamodb", "TransactWriteItems", skip=1, times=2)
    faults.throttle("dynamodb", "TransactWriteItems", containing='"watermark"', code="ThrottlingException")
    faults.throttle("dynamodb", "UpdateItem", containing="SET expires = :zero")


def throttled_ledger(faults: Faults) -> None:
    """Reading what is done already."""
    faults.throttle("dynamodb", "GetItem", skip=1)
    faults.throttle("dynamodb", "Query", skip=1)


def throttled_items(faults: Faults) -> None:
    """The conditional writes of the online store, and answers that are lost after the write."""
    faults.throttle("dynamodb", "PutItem", times=5)
    faults.lose_answer("dynamodb", "PutItem", skip=1, times=2)


def lost_records(faults: Faults) -> None:
    """Transactions that take effect, whose answers are lost; the last one too."""
    faults.lose_answer("dynamodb", "TransactWriteItems")
    faults.lose_answer("dynamodb", "TransactWriteItems", containing='"watermark"')


def failing_queries(faults: Faults) -> None:
    """One failure of each query, of some after they wrote."""
    for purpose, when in (("counts", "before"), ("compute", "after"), ("load", "after")):
        faults.fail_query(containing=f"purpose={purpose}", when=when)  # type: ignore[arg-type] # one of two


def athena_is_busy(faults: Faults) -> None:
    """Starting a query and reading its result."""
    faults.throttle("athena", "StartQueryExecution", times=2)
    faults.throttle("athena", "GetQueryResults")


def s3_is_busy(faults: Faults) -> None:
    """Finding what a query wrote, reading it, and the listing of the distributed map; deleting it."""
    for operation in ("ListObjectsV2", "GetObject", "DeleteObjects"):
        faults.throttle("s3", operation)


def glue_is_busy(faults: Faults) -> None:
    """Registration, once before it took effect and once after."""
    faults.throttle("glue", "BatchCreatePartition")
    faults.lose_answer("glue", "BatchCreatePartition")
    faults.throttle("glue", "BatchDeletePartition")


RECOVERS: list[Callable[[Faults], None]] = [
    throttled_lease, throttled_ledger, throttled_items, lost_records, failing_queries, athena_is_busy, s3_is_busy,
    glue_is_busy,
]  # fmt: skip
"""What passes when it is waited for."""


TIMEOUTS = [
    ("begin", "dynamodb", "TransactWriteItems"),
    ("step", "dynamodb", "TransactWriteItems"),
    ("step", "glue", "BatchCreatePartition"),
    ("load_plan", "dynamodb", "TransactWriteItems"),
    ("load", "dynamodb", "PutItem"),
    ("publish", "dynamodb", "TransactWriteItems"),
    ("publish", "s3", "DeleteObjects"),
]
"""Functions, and the calls in whose midst they run out of time."""


def broken_query(faults: Faults) -> None:
    """A query that fails whenever it is asked."""
    faults.fail_query(containing="purpose=compute", times=3)


def broken_registration(faults: Faults) -> None:
    """Somebody has taken a permission away."""
    faults.error("glue", "BatchCreatePartition", "AccessDeniedException", times=2 * 6)


def broken_online_store(faults: Faults) -> None:
    """The online table refuses writes."""
    faults.error("dynamodb", "PutItem", "AccessDeniedException", times=16 * 6)


LOUD: list[tuple[Callable[[Faults], None], int, str]] = [
    (broken_query, 1, "attempt 3 of 3"),
    (broken_registration, 2, "AccessDeniedException"),
    (broken_online_store, 1, "AccessDeniedException"),
]
"""What no patience mends, in a run of so many chunks side by side, and a word of the reason people are told."""


def nothing_is_read(faults: Faults) -> None:
    """Every key comes back unprocessed."""
    faults.unprocessed_keys(0, times=10_000)


def every_read_is_throttled(faults: Faults) -> None:
    """And that lasts longer than a lookup."""
    faults.throttle("dynamodb", "BatchGetItem", times=10_000)

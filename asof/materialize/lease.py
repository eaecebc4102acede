"""At most one run per view: a lease with a fencing token, in the control table.

The token grows with every acquisition. Everything a run records goes through a transaction that checks the token, so a
run that lost its lease while it slept can record nothing, and therefore commits nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from asof.clock import Clock, iso
from asof.errors import LeaseHeldError, LeaseLostError, RequestError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE_MS: Final = 15 * 60_000
"""How long a lease holds without being renewed; longer than any one stage between two renewals should take."""

RETIREMENT: Final = "asof retire"
"""Who holds the lease of a retired version, for good. A repeated retirement is the same owner, so it need not wait."""

_LEASE = "lease"
_TRANSACTION_TRIES = 8

Write = Mapping[str, Any]
"""One item of TransactWriteItems, for example ``{"Put": {...}}``."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lease. ``token`` fences: it is greater than that of any earlier holder. Renewing holds for ``hold_ms``.

    Made by :func:`acquire`, or anew from ``owner`` and ``token`` where the holder goes on in another process.
    """

    client: DynamoDBClient
    table: str
    view: str
    owner: str
    token: int
    clock: Clock
    hold_ms: int = LEASE_MS

    def renew(self) -> None:
        """Hold on for another ``hold_ms``; raises LeaseLostError where another run took over."""
        self.record([])

    def record(self, writes: Sequence[Write]) -> None:
        """Make the writes, all or none, if this lease still holds; renews it on the way.

        Raises LeaseLostError where another run took over; the writes were then not made.
        """
        renewal: Write = {
            "Update": {
                "TableName": self.table,
                "Key": _key(self.view),
                "UpdateExpression": "SET expires = :expires",
                "ConditionExpression": "#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {
                    ":token": {"N": str(self.token)},
                    ":expires": {"N": str(self.clock.now_ms() + self.hold_ms)},
                },
            }
        }
        items: list[Any] = [renewal, *writes]
        for attempt in range(_TRANSACTION_TRIES):
            try:
                self.client.transact_write_items(TransactItems=items)
            except self.client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                if codes and codes[0] == "ConditionalCheckFailed":
                    raise LeaseLostError(
                        f"{self.view}: another run took over while {self.owner} was at work; it stopped before "
                        f"recording anything further"
                    ) from error
                # Two writers met on an item, or the table throttled: neither says anything about the lease.
                if attempt == _TRANSACTION_TRIES - 1 or not {"TransactionConflict", "ThrottlingError"} & set(codes):
                    raise
                time.sleep(0.05 * 2**attempt)
            else:
                return

    def release(self) -> None:
        """Let go at once, also of what still works in this lease's name; one that was already lost is none of ours."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(self.view),
                # The next token is nobody's: a task that outlives its run cannot renew what was given back.
                UpdateExpression="SET expires = :zero, #token = #token + :one",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={
                    ":token": {"N": str(self.token)},
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _key(view: str) -> dict[str, Any]:
    return {"pk": {"S": view}, "sk": {"S": _LEASE}}


def acquire(
    client: DynamoDBClient,
    table: str,
    view: str,
    owner: str,
    clock: Clock,
    *,
    hold_ms: int = LEASE_MS,
    ended: str | None = None,
) -> Lease:
    """Take the view's lease, free or expired; raises LeaseHeldError, naming the holder, where it is held.

    A lease that is held by ``ended``, an owner known to work no more, or by ``owner`` itself, counts as free.
    Raises RequestError where the version is retired: waiting for that lease would never help.
    """
    now_ms = clock.now_ms()
    try:
        answer = client.update_item(
            TableName=table,
            Key=_key(view),
            UpdateExpression="SET expires = :expires, #owner = :owner, #token = if_not_exists(#token, :zero) + :one",
            ConditionExpression="attribute_not_exists(expires) OR expires <= :now OR #owner IN (:owner, :ended)",
            ExpressionAttributeNames={"#owner": "owner", "#token": "token"},
            ExpressionAttributeValues={
                ":expires": {"N": str(now_ms + hold_ms)},
                ":now": {"N": str(now_ms)},
                ":owner": {"S": owner},
                ":ended": {"S": owner if ended is None else ended},
                ":zero": {"N": "0"},
                ":one": {"N": "1"},
            },
            ReturnValues="UPDATED_NEW",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        held = client.get_item(TableName=table, Key=_key(view), ConsistentRead=True).get("Item", {})
        if held.get("owner") == {"S": RETIREMENT}:
            raise RequestError(
                f"{view} is retired, so no run works on it any more; nothing was done. Name a version in service"
            ) from error
        holder, until = held.get("owner", {}).get("S", "another run"), int(held.get("expires", {}).get("N", "0"))
        raise LeaseHeldError(
            f"{view}: {holder} is at work and holds the lease until {iso(until)}; nothing was done. "
            f"Try again when it has finished",
            owner=holder,
        ) from error
    return Lease(client, table, view, owner, int(answer["Attributes"]["token"]["N"]), clock, hold_ms)

"""Taking a version out of service: its items and watermarks go, its name stays taken for ever.

The order makes a kill harmless: first the mark in the registry, from which on nobody can put the version back into
service; then the watermark, so that lookups no longer call the items fresh; then the items, page by page; then the
rest. How far the deletion has come is in the control table, written with the view's lease, so whoever repeats the call
goes on there. The lease is kept: a retired version is never materialized again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from asof.errors import RequestError, UnknownFeatureError, VersionInUseError
from asof.keys import WATERMARK_KEY
from asof.manifest import FeatureView, Manifest
from asof.materialize.lease import RETIREMENT, Lease, Write, acquire
from asof.materialize.services import Services
from asof.names import history_table, staging_table
from asof.online.faults import CONDITION_FAILED, client_errors, error_code
from asof.online.scan import SCAN_RETRY, scan_pages
from asof.registry.bucket import list_keys
from asof.registry.publish import read_manifest
from asof.registry.readers import readers
from asof.registry.retired import mark_retired, take_mark_back

_END_OF_TIME_MS: Final = 253_402_300_799_000  # 9999-12-31T23:59:59Z
PAGE_ITEMS: Final = 5_000
"""Items looked at between two records of how far the deletion has come."""

_DELETES: Final = 16
_RECORD: Final = "retire"
_KINDS: Final = ("feature_view", "on_demand_feature_view")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Retirement:
    """What became of a version: ``deleted`` items over all calls, and the Glue tables this call deregistered."""

    reference: str
    deleted: int
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Done:
    """How far a deletion has come: ``after`` is the key the scan goes on after."""

    deleted: int = 0
    after: dict[str, str] | None = None
    items_gone: bool = False


def check_retirable(services: Services, reference: str, *, drop_history: bool = False) -> bool:
    """Whether a version has items, that is whether it is no on-demand view; nothing is changed.

    Raises UnknownFeatureError for a version that was never published, and VersionInUseError where the manifest in
    force reads it or does not call it deprecated, or where its tables are to be dropped and it is still defined.
    """
    bucket = services.environment.registry_bucket
    if "@v" not in reference:
        raise RequestError(f"{reference!r} names no version; write for example '{reference}@v1'")
    kinds = {kind: _published(services, bucket, kind) for kind in _KINDS}
    found = [kind for kind in _KINDS if reference in kinds[kind]]
    if not found:
        raise UnknownFeatureError(reference, sorted(set().union(*kinds.values())), "version of a view")
    _refuse_in_service(read_manifest(services.s3, services.environment), reference, drop_history)
    return found == ["feature_view"]


def retire(
    services: Services, reference: str, *, drop_history: bool = False, progress: Progress | None = None
) -> Retirement:
    """Take ``view@vN`` out of service; repeated after a kill it goes on, repeated after its end it changes nothing.

    The history stays; ``drop_history`` deregisters its Glue tables, while the objects in S3 stay in any case. Which of
    them had been committed is known to the tables alone, so this cannot be undone.
    Raises what :func:`check_retirable` does, LeaseHeldError where a run is at work on the view, OnlineStoreError and
    DeadlineExceededError where items cannot be deleted.
    """
    has_items = check_retirable(services, reference, drop_history=drop_history)
    lease = _keep_lease(services, reference)
    _mark(services, lease, drop_history)
    if not has_items:
        return Retirement(reference, 0)
    done = _delete_items(services, lease, progress or (lambda _what, _done, _total: None))
    return Retirement(reference, done.deleted, _drop_tables(services, reference) if drop_history else ())


def _published(services: Services, bucket: str, kind: str) -> set[str]:
    prefix = f"versions/{kind}/"
    return {key.removeprefix(prefix).removesuffix(".json") for key in list_keys(services.s3, bucket, prefix)}


def _refuse_in_service(manifest: Manifest, reference: str, drop_history: bool) -> None:
    name, _, version = reference.rpartition("@v")
    read_by = readers(manifest, name, int(version))
    if read_by:
        raise VersionInUseError(
            reference, f"{', '.join(read_by)} still read{'s' if len(read_by) == 1 else ''} it", read_by
        )
    view = next((view for view in manifest.views() if view.reference == reference), None)
    if view is None:
        return
    if not view.deprecated:
        raise VersionInUseError(reference, "it is in force; declare it deprecated=True or remove it, and deploy that")
    if drop_history and isinstance(view, FeatureView):
        raise VersionInUseError(
            reference, "its tables belong to the deployed stack while it is defined; remove it, deploy, then drop them"
        )


def _keep_lease(services: Services, reference: str) -> Lease:
    """The view's lease, for good; raises LeaseHeldError while a run is at work."""
    table, clock = services.environment.control_table, services.clock
    lease = acquire(services.dynamodb, table, reference, RETIREMENT, clock)
    lease = dataclasses.replace(lease, hold_ms=_END_OF_TIME_MS - clock.now_ms())
    lease.renew()
    return lease


def _mark(services: Services, lease: Lease, drop_history: bool) -> None:
    """Mark the version, and look again: whoever published in between did not know of the mark."""
    bucket = services.environment.registry_bucket
    marked = mark_retired(services.s3, bucket, lease.view, services.clock.now_ms())
    try:
        _refuse_in_service(read_manifest(services.s3, services.environment), lease.view, drop_history)
    except VersionInUseError:
        if marked:
            take_mark_back(services.s3, bucket, lease.view)
        lease.release()
        raise


def _delete_items(services: Services, lease: Lease, progress: Progress) -> _Done:
    """Delete the watermarks, then everything under the view's sort key, from where an earlier call stopped."""
    environment = services.environment
    done = _read_done(services, lease.view)
    if done.items_gone:
        return done
    lease.record(
        [
            _delete(environment.online_table, WATERMARK_KEY, lease.view),
            _delete(environment.control_table, lease.view, "watermark"),
        ]
    )
    table = services.dynamodb.describe_table(TableName=environment.online_table)["Table"]
    total, scanned = int(table.get("ItemCount", 0)), 0
    with ThreadPoolExecutor(_DELETES, thread_name_prefix="asof-retire") as pool:
        for page in _pages(services, lease.view, done):
            deleted = sum(pool.map(partial(_delete_item, services), page["Items"]))
            after = {name: value["S"] for name, value in page.get("LastEvaluatedKey", {}).items()} or None
            done = _Done(done.deleted + deleted, after, items_gone=after is None)
            lease.record([_put_done(environment.control_table, lease.view, done)])
            scanned += int(page["ScannedCount"])
            progress(f"{done.deleted:,} items deleted", scanned, max(total, scanned))
    return done


def _pages(services: Services, reference: str, done: _Done) -> Iterator[dict[str, Any]]:
    """The pages of the scan by which the version's items are found: their sort key is no key to look up by."""
    start: dict[str, Any] = {}
    if done.after is not None:
        start["ExclusiveStartKey"] = {name: {"S": value} for name, value in done.after.items()}
    return scan_pages(
        services.dynamodb,
        services.environment.online_table,
        FilterExpression="sk = :sk",
        ExpressionAttributeValues={":sk": {"S": reference}},
        ProjectionExpression="pk, sk",
        Limit=PAGE_ITEMS,
        ConsistentRead=True,  # what a run wrote a moment before it ended must be seen
        **start,
    )


def _delete_item(services: Services, key: Any) -> bool:
    """Delete an item; returns whether it was there."""

    def delete() -> bool:
        try:
            services.dynamodb.delete_item(
                TableName=services.environment.online_table, Key=key, ConditionExpression="attribute_exists(pk)"
            )
        except client_errors() as error:
            if error_code(error) == CONDITION_FAILED:
                return False
            raise
        return True

    return SCAN_RETRY.start(f"deleting {key['sk']['S']} of {key['pk']['S']!r}").call(delete)


def _read_done(services: Services, reference: str) -> _Done:
    key = {"pk": {"S": reference}, "sk": {"S": _RECORD}}
    item = services.dynamodb.get_item(TableName=services.environment.control_table, Key=key, ConsistentRead=True)
    return _Done(**json.loads(item["Item"]["body"]["S"])) if "Item" in item else _Done()


def _put_done(table: str, reference: str, done: _Done) -> Write:
    body = json.dumps(dataclasses.asdict(done), sort_keys=True)
    return {"Put": {"TableName": table, "Item": {"pk": {"S": reference}, "sk": {"S": _RECORD}, "body": {"S": body}}}}


def _delete(table: str, pk: str, sk: str) -> Write:
    return {"Delete": {"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}


def _drop_tables(services: Services, reference: str) -> tuple[str, ...]:
    """Deregister the history and staging tables; those that are gone are fine."""
    name, _, version = reference.rpartition("@v")
    dropped = []
    for table in (history_table(name, int(version)), staging_table(name, int(version))):
        try:
            services.glue.delete_table(DatabaseName=services.environment.database, Name=table)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
        else:
            dropped.append(table)
    return tuple(dropped)

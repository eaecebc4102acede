"""What each function and state machine may do: a table of actions and resources, granted once, in the stacks.

A test runs every function against the local cloud and compares the calls it makes with this table. Grants marked
``through`` are for what a service does in the caller's name, which no call of the function shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from infra.places import Places


@dataclass(frozen=True, slots=True)
class Grant:
    """Some actions on some resources. ``through`` names the service that acts in the function's name."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    through: str = ""


def _control(places: Places, *actions: str) -> Grant:
    return Grant(tuple(f"dynamodb:{action}" for action in actions), (places.control_table,))


def _online(places: Places, *actions: str) -> Grant:
    return Grant(tuple(f"dynamodb:{action}" for action in actions), (places.online_table,))


def athena_reads(places: Places) -> list[Grant]:
    """What Athena needs in the name of whoever starts a query: tables, partitions, their objects, and its results."""
    environment = places.environment
    offline, results = environment.offline_bucket, environment.results_bucket
    tables = tuple(dict.fromkeys((*places.own_tables, *places.source_tables)))
    catalog = ("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition")
    buckets = (places.bucket(offline), places.bucket(results), *places.source_buckets)
    objects = (places.objects(offline, "history/"), places.objects(results), *places.source_objects)
    written = (places.objects(results),)
    return [
        Grant(catalog, tables, "athena"),
        Grant(("s3:GetBucketLocation", "s3:ListBucket"), buckets, "athena"),
        Grant(("s3:GetObject",), objects, "athena"),
        Grant(("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"), written, "athena"),
    ]


def athena_unloads(places: Places) -> list[Grant]:
    """What an UNLOAD needs in addition: to write the prefixes that runs unload to."""
    offline = places.environment.offline_bucket
    prefixes = ("history/", "quarantine/", "scratch/load/")
    objects = tuple(places.objects(offline, prefix) for prefix in prefixes)
    actions = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
    return [
        Grant(actions, objects, "athena"),
        Grant(("s3:ListBucketMultipartUploads",), (places.bucket(offline),), "athena"),
    ]


def _begin(places: Places) -> list[Grant]:
    grants = [
        _control(places, "GetItem", "Query", "PutItem", "UpdateItem"),
        Grant(("states:DescribeExecution",), (places.executions("materialize"),)),
        Grant(("glue:GetTable",), places.source_tables),
    ]
    return [*grants, Grant(("s3:ListBucket",), places.prefix_buckets)] if places.prefix_buckets else grants


def _step(places: Places) -> list[Grant]:
    environment = places.environment
    return [
        _control(places, "GetItem", "Query", "PutItem", "UpdateItem"),
        Grant(("s3:ListBucket",), (places.bucket(environment.offline_bucket),)),
        Grant(
            ("glue:GetTable", "glue:GetPartition", "glue:BatchCreatePartition", "glue:BatchDeletePartition"),
            places.own_tables,
        ),
        Grant(
            ("athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"), (places.workgroup,)
        ),
        *athena_reads(places),
    ]


def _load_plan(places: Places) -> list[Grant]:
    return [_control(places, "GetItem", "Query", "UpdateItem")]


def _load(places: Places) -> list[Grant]:
    return [
        _control(places, "UpdateItem"),
        _online(places, "PutItem"),
        Grant(("s3:GetObject",), (places.objects(places.environment.offline_bucket, "scratch/load/"),)),
    ]


def _publish(places: Places) -> list[Grant]:
    offline = places.environment.offline_bucket
    return [
        _control(places, "GetItem", "Query", "PutItem", "UpdateItem"),
        _online(places, "PutItem"),
        Grant(("glue:GetPartitions", "glue:BatchDeletePartition"), places.own_tables),
        Grant(("s3:ListBucket",), (places.bucket(offline),)),
        Grant(("s3:DeleteObject",), (places.objects(offline, "scratch/load/"),)),
    ]


def _fail(places: Places) -> list[Grant]:
    return [_control(places, "GetItem", "PutItem", "UpdateItem"), Grant(("sns:Publish",), (places.topic,))]


def _freshness(places: Places) -> list[Grant]:
    return [_control(places, "GetItem")]


def _lookups(places: Places) -> list[Grant]:
    return [_online(places, "Query", "BatchGetItem")]


def _guard(places: Places) -> list[Grant]:
    registry = places.environment.registry_bucket
    return [
        Grant(("s3:GetObject",), (places.objects(registry, "versions/"),)),
        # Without it S3 answers "denied" instead of "no such key" for a version that was never published.
        Grant(("s3:ListBucket",), (places.bucket(registry),)),
    ]


def _tables(places: Places) -> list[Grant]:
    return [Grant(("glue:GetTable", "glue:CreateTable", "glue:UpdateTable"), places.own_tables)]


def _registry(places: Places) -> list[Grant]:
    registry = places.environment.registry_bucket
    objects = (places.objects(registry, "versions/"), places.objects(registry, "manifest/"))
    return [
        Grant(("s3:GetObject", "s3:PutObject"), objects),
        Grant(("s3:ListBucket",), (places.bucket(registry),)),
    ]


FUNCTIONS: Final[Mapping[str, Callable[[Places], list[Grant]]]] = {
    "begin": _begin,
    "step": _step,
    "load_plan": _load_plan,
    "load": _load,
    "publish": _publish,
    "fail": _fail,
    "freshness": _freshness,
    "online": _lookups,
    "guard": _guard,
    "tables": _tables,
    "registry": _registry,
}
"""The functions of an environment and what each may do."""

STAGES: Final = ("begin", "step", "load_plan", "load", "publish", "fail")
"""The functions the state machine invokes."""


def materialize_machine(places: Places) -> list[Grant]:
    """What the materialize state machine may do: functions, queries, child runs of its distributed map."""
    offline = places.environment.offline_bucket
    athena = ("athena:StartQueryExecution", "athena:GetQueryExecution", "athena:StopQueryExecution")
    return [
        Grant(("lambda:InvokeFunction",), tuple(places.function(name) for name in STAGES)),
        Grant(athena, (places.workgroup,)),
        Grant(("athena:GetDataCatalog",), (places.arn("athena", "datacatalog/AwsDataCatalog"),)),
        *athena_reads(places),
        *athena_unloads(places),
        Grant(("s3:ListBucket",), (places.bucket(offline),)),
        Grant(("states:StartExecution",), (places.machine("materialize"),)),
        Grant(("states:DescribeExecution", "states:StopExecution"), (places.executions("materialize"),)),
        Grant(("states:RedriveExecution",), (places.map_runs("materialize"),)),
    ]


def backfill_machine(places: Places) -> list[Grant]:
    """What the backfill state machine may do: start runs of the other one and wait for their ends."""
    rule = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    return [
        Grant(("states:StartExecution",), (places.machine("materialize"),)),
        Grant(("states:DescribeExecution", "states:StopExecution"), (places.executions("materialize"),)),
        Grant(("events:PutTargets", "events:PutRule", "events:DescribeRule"), (places.arn("events", rule),)),
    ]


def glue_jobs(places: Places) -> list[Grant]:
    """What the Glue jobs may do: all that a run does, with Spark where Athena would be, and exports."""
    environment = places.environment
    offline = environment.offline_bucket
    written = tuple(
        places.objects(offline, prefix) for prefix in ("history/", "quarantine/", "scratch/load/", "scratch/export/")
    )
    exported = places.objects(offline, "exports/")
    logs = tuple(places.arn("logs", f"log-group:/aws-glue/{part}") for part in ("jobs/*", "python-jobs/*"))
    return [
        _control(places, "GetItem", "Query", "PutItem", "UpdateItem"),
        _online(places, "PutItem"),
        Grant(("glue:GetTable", "glue:GetPartition", "glue:GetPartitions"), places.source_tables),
        Grant(
            (
                "glue:GetTable",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:BatchCreatePartition",
                "glue:BatchDeletePartition",
            ),
            places.own_tables,
        ),
        Grant(("s3:GetObject",), (places.objects(environment.registry_bucket, "manifest/"), *places.source_objects)),
        # Spark commits by renaming, which in S3 is to copy and to delete.
        Grant(("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"), (*written, exported)),
        Grant(
            ("s3:ListBucket",),
            (places.bucket(offline), places.bucket(environment.registry_bucket), *places.source_buckets),
        ),
        Grant(("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), logs, "glue"),
    ]

"""Custom resource: check the definitions, or publish them, or make their history tables.

The same code is deployed three times, since each may do something else: ``guard`` only reads, and fails the deployment
where a meaning has changed before the storage stack touches a table; ``tables`` makes the history tables, which outlive
their stack, and takes over those that are there already; ``registry`` publishes.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from pathlib import Path
from typing import Any, Final

import boto3

from asof.deployed import bundled_environment, bundled_manifest
from asof.manifest import Manifest
from asof.monitor.log import log_line
from asof.offline.tables import ensure_history_tables
from asof.registry.publish import archived_manifest, check, publish

_LONGEST_REASON: Final = 3_000  # CloudFormation takes 4,096 bytes of answer


def handle(event: dict[str, Any], _context: object) -> None:
    """CloudFormation's request -> its answer, put to the URL it gives. It waits for one whatever happens."""
    try:
        said = act(event)
        answer: dict[str, Any] = {"Status": "SUCCESS", "Data": {"New": ", ".join(said)[:_LONGEST_REASON]}}
    except Exception as error:  # noqa: BLE001 # without an answer the stack hangs for an hour
        answer = {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"[:_LONGEST_REASON]}
    print(log_line("definitions", request=event["RequestType"], **answer))
    answer |= {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-definitions"
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")  # noqa: S310 # CloudFormation's own URL
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 # see above
        pass


def act(event: dict[str, Any]) -> list[str]:
    """Do what is asked; the references of the versions that are new.

    Raises PublishedVersionError where a published version would change its meaning. A deletion keeps what is published,
    and every history.
    """
    if event["RequestType"] == "Delete":
        return []
    environment, manifest, s3 = bundled_environment(os.environ), _bundled(), boto3.client("s3")
    digest = event["ResourceProperties"]["Fingerprint"]
    # On its way back CloudFormation asks for what was before, and may ask the code that came after.
    goes_back = hashlib.sha256(manifest.to_json().encode()).hexdigest() != digest
    action = event["ResourceProperties"]["Action"]
    if action == "check":
        return [] if goes_back else check(s3, environment, manifest)
    if action == "tables":
        # What was before has its tables, and tables that nobody uses any more hold what runs have committed.
        made = {} if goes_back else ensure_history_tables(boto3.client("glue"), environment, manifest)
        return [name for name, change in made.items() if change == "created"]
    return publish(s3, environment, archived_manifest(s3, environment, digest) if goes_back else manifest)


def _bundled() -> Manifest:
    return bundled_manifest(Path(os.environ.get("LAMBDA_TASK_ROOT", ".")))

"""Bucket policies whose conditions moto does not look at, so that a rule such as "TLS only" would shut everybody out.

Requests count as encrypted here: the loopback interface is as private. Statements with any other condition are not
applied, for the local cloud cannot know who its callers are; those without conditions are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


def unconditional(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The policy with only those statements that hold for every request."""
    statements = policy.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return {**policy, "Statement": [each for each in listed if not each.get("Condition")]}


@contextmanager
def installed() -> Iterator[None]:
    """While inside, moto's S3 applies the unconditional part of each bucket policy."""
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    def get_permission(bucket: Any, action: str, resource: str) -> Any:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        applied = unconditional(json.loads(bucket.policy.decode()))
        if not applied["Statement"]:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps(applied)).is_action_permitted(action, resource)

    with patch.object(FakeBucket, "get_permission", get_permission):
        yield

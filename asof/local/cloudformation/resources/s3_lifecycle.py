"""Lifecycle rules of AWS::S3::Bucket in the words of S3's API, which differ from CloudFormation's."""

from __future__ import annotations

from typing import Any

from asof.local.cloudformation.errors import ResourceFailedError
from asof.local.cloudformation.provider import Properties

_KNOWN = frozenset(
    {
        "Id", "Status", "Prefix", "TagFilters", "ExpirationInDays", "ExpiredObjectDeleteMarker", "Transitions",
        "NoncurrentVersionExpiration", "NoncurrentVersionTransitions", "AbortIncompleteMultipartUpload",
    }
)  # fmt: skip


def api_rules(rules: list[Properties]) -> list[dict[str, Any]]:
    """The rules as ``PutBucketLifecycleConfiguration`` takes them; raises ResourceFailedError for unknown parts."""
    return [_rule(number, rule) for number, rule in enumerate(rules)]


def _rule(number: int, rule: Properties) -> dict[str, Any]:
    unknown = sorted(rule.keys() - _KNOWN)
    if unknown:
        raise ResourceFailedError(f"AWS::S3::Bucket: the local cloud cannot do the lifecycle part {', '.join(unknown)}")
    answer: dict[str, Any] = {
        "ID": rule.get("Id", f"rule-{number}"),
        "Status": rule["Status"],
        "Filter": _filter(rule),
    }
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        answer["Expiration"] = expiration
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        answer["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    if "NoncurrentVersionExpiration" in rule:
        given = rule["NoncurrentVersionExpiration"]
        answer["NoncurrentVersionExpiration"] = {name: int(value) for name, value in given.items()}
    if "Transitions" in rule:
        answer["Transitions"] = [
            {"Days": int(each["TransitionInDays"]), "StorageClass": each["StorageClass"]}
            for each in rule["Transitions"]
        ]
    if "NoncurrentVersionTransitions" in rule:
        answer["NoncurrentVersionTransitions"] = [
            {"NoncurrentDays": int(each["TransitionInDays"]), "StorageClass": each["StorageClass"]}
            for each in rule["NoncurrentVersionTransitions"]
        ]
    return answer


def _filter(rule: Properties) -> dict[str, Any]:
    tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in rule.get("TagFilters", [])]
    if not tags:
        return {"Prefix": rule.get("Prefix", "")}
    if len(tags) == 1 and "Prefix" not in rule:
        return {"Tag": tags[0]}
    return {"And": {"Prefix": rule.get("Prefix", ""), "Tags": tags}}

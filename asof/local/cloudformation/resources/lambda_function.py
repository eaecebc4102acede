"""AWS::Lambda::Function."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from asof.local.cloudformation.provider import (
    Context,
    Deployed,
    Properties,
    ResourceType,
    pick,
    refuse,
    tag_map,
    unless_missing,
)

_CONFIGURATION = ("Description", "Environment", "Handler", "MemorySize", "Role", "Runtime", "Timeout", "LoggingConfig")


class LambdaFunction(ResourceType):
    """A function of a zip in S3, or of source text in the template."""

    type = "AWS::Lambda::Function"
    properties = frozenset(
        {"FunctionName", "Code", "ReservedConcurrentExecutions", "Architectures", "PackageType", "Tags"}
    ).union(_CONFIGURATION)
    # The machine's own processor, disk and tracing are what a function gets here.
    accepted = frozenset({"EphemeralStorage", "TracingConfig", "RecursiveLoop"})
    replacing = frozenset({"FunctionName", "PackageType"})
    name_property = "FunctionName"

    def create(self, context: Context, properties: Properties) -> Deployed:
        """CreateFunction."""
        client = context.client("lambda")
        name = properties.get("FunctionName") or context.name(64)
        client.create_function(
            FunctionName=name,
            Code=_code(context, properties),
            Tags=tag_map(properties.get("Tags")),
            **pick(properties, *(each for each in _CONFIGURATION if each != "LoggingConfig"), "Architectures"),
        )
        _concurrency(client, name, properties)
        return _deployed(client, name)

    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Code and configuration, where they changed."""
        client = context.client("lambda")
        if old["Code"] != new["Code"] or old.get("Architectures") != new.get("Architectures"):
            client.update_function_code(FunctionName=physical_id, **_code(context, new), **pick(new, "Architectures"))
        defaults = {"Description": "", "Environment": {"Variables": {}}, "MemorySize": 128, "Timeout": 3}
        wanted = {**defaults, **pick(new, *_CONFIGURATION)}
        wanted.pop("LoggingConfig", None)
        client.update_function_configuration(FunctionName=physical_id, **wanted)
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            _concurrency(client, physical_id, new)
        deployed = _deployed(client, physical_id)
        gone = tag_map(old.get("Tags")).keys() - tag_map(new.get("Tags")).keys()
        arn = deployed.attributes["Arn"]
        if gone:
            client.untag_resource(Resource=arn, TagKeys=sorted(gone))
        if new.get("Tags") and new.get("Tags") != old.get("Tags"):
            client.tag_resource(Resource=arn, Tags=tag_map(new["Tags"]))
        return deployed

    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:  # noqa: ARG002 # by name alone
        """DeleteFunction."""
        client = context.client("lambda")
        unless_missing(lambda: client.delete_function(FunctionName=physical_id), "ResourceNotFoundException")


def _code(context: Context, properties: Properties) -> dict[str, Any]:
    code = properties["Code"]
    if "ZipFile" in code:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("index.py", code["ZipFile"])
        return {"ZipFile": content.getvalue()}
    if "S3Key" not in code:
        raise refuse(context, "run functions of container images")
    return pick(code, "S3Bucket", "S3Key", "S3ObjectVersion")


def _concurrency(client: Any, name: str, properties: Properties) -> None:
    if "ReservedConcurrentExecutions" in properties:
        reserved = int(properties["ReservedConcurrentExecutions"])
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    else:
        unless_missing(lambda: client.delete_function_concurrency(FunctionName=name), "ResourceNotFoundException")


def _deployed(client: Any, name: str) -> Deployed:
    return Deployed(name, {"Arn": client.get_function_configuration(FunctionName=name)["FunctionArn"]})

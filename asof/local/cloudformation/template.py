"""Templates: text to dictionaries, and which parts of them the local cloud knows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from asof.local.cloudformation.errors import ValidationError

_SECTIONS: Final = frozenset(
    {
        "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
        "Resources", "Outputs",
    }
)  # fmt: skip
_RESOURCE_KEYS: Final = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
)


@dataclass(frozen=True, slots=True)
class Template:
    """A template as CloudFormation sees it: its text and its sections, each a dictionary."""

    text: str
    body: Mapping[str, Any]

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """Resources by logical id."""
        return self.body["Resources"]  # type: ignore[no-any-return] # JSON

    def section(self, name: str) -> Mapping[str, Any]:
        """A section, empty where the template has none."""
        return self.body.get(name) or {}

    @property
    def description(self) -> str | None:
        """The template's own description."""
        return self.body.get("Description")


EMPTY: Final = Template("", {"Resources": {}})


def parse(text: str) -> Template:
    """The template; raises ValidationError for what is not one and for sections the local cloud cannot do."""
    try:
        body = json.loads(text)
    except json.JSONDecodeError:
        try:
            body = yaml.load(text, Loader=_Loader)  # noqa: S506 # a SafeLoader with CloudFormation's short forms
        except yaml.YAMLError as error:
            raise ValidationError(f"Template format error: {error}") from error
    if not isinstance(body, dict):
        raise ValidationError("Template format error: unsupported structure.")
    if not isinstance(body.get("Resources"), dict) or not body["Resources"]:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    problems = list(_problems(body))
    if problems:
        raise ValidationError("Template format error: " + "; ".join(problems))
    return Template(text, body)


def _problems(body: Mapping[str, Any]) -> Iterator[str]:
    for section in body.keys() - _SECTIONS:
        yield f"the local cloud cannot do the section {section}"
    for logical_id, resource in body["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            yield f"[/Resources/{logical_id}] every resource must contain a Type"
            continue
        for key in resource.keys() - _RESOURCE_KEYS:
            yield f"[/Resources/{logical_id}] the local cloud cannot do the attribute {key}"


def split_template_url(url: str) -> tuple[str, str]:
    """Bucket and key of a TemplateURL: ``https://s3.<region>.amazonaws.com/bucket/key`` or ``https://bucket.s3...``."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    bucket, separator, _ = host.partition(".s3")
    if separator and not host.startswith("s3"):
        return bucket, path
    bucket, _, key = path.partition("/")
    if not key:
        raise ValidationError(f"TemplateURL must be an S3 address; {url} is not")
    return bucket, key


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML ships no types
    """YAML with ``!Ref`` and its like, in which dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 # the base class's attribute, copied without timestamps
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _short_form(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)

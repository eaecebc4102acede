"""What a resource type is: which properties it knows, and how it is created, updated and deleted through AWS's APIs."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from asof.local.cloudformation.errors import ResourceFailedError

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """Where a resource lives. ``generation`` grows with each replacement, so that generated names differ.

    ``client`` makes a client of an AWS service of the local cloud; ``endpoint`` is the cloud's own address.
    """

    account: str
    region: str
    stack_id: str
    stack_name: str
    logical_id: str
    type: str
    generation: int
    endpoint: str
    client: Callable[[str], Any]

    def arn(self, service: str, rest: str) -> str:
        """An ARN in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def name(self, limit: int = 255) -> str:
        """A name as CloudFormation makes one where the template gives none: stack, logical id and a suffix."""
        seed = f"{self.stack_id}/{self.logical_id}/{self.generation}"
        suffix = hashlib.sha256(seed.encode()).hexdigest()[:12]
        kept = limit - len(suffix) - len(self.logical_id) - 2
        return f"{self.stack_name[: max(kept, 1)]}-{self.logical_id}"[: limit - 13] + f"-{suffix}"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a resource became: its physical id (its Ref) and what Fn::GetAtt may ask for."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class ResourceType(ABC):
    """One type. Subclasses say what they know and call the API.

    ``properties`` take effect; ``accepted`` make no difference that could be seen in the local cloud. Any other
    property is refused. A change of one of ``replacing`` makes a new resource and deletes the old one;
    ``name_property`` is the one of them that names the resource, if there is one.
    """

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    accepted: ClassVar[frozenset[str]] = frozenset()
    replacing: ClassVar[frozenset[str]] = frozenset()
    name_property: ClassVar[str | None] = None

    def unknown(self, properties: Properties) -> list[str]:
        """The names of the properties that are refused."""
        return sorted(properties.keys() - self.properties - self.accepted)

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Whether a change needs a new resource."""
        return any(old.get(name) != new.get(name) for name in self.replacing)

    @abstractmethod
    def create(self, context: Context, properties: Properties) -> Deployed:
        """Create it; raises ResourceFailedError (or an AWS error) where that is not possible."""

    @abstractmethod
    def update(self, context: Context, physical_id: str, old: Properties, new: Properties) -> Deployed:
        """Change it in place."""

    @abstractmethod
    def delete(self, context: Context, physical_id: str, properties: Properties) -> None:
        """Delete it; what does not exist any more is no error."""


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """Those of the properties that are there, as parameters of the same name."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(tags: Any) -> dict[str, str]:
    """Tags, a list of keys and values or a mapping, as a mapping."""
    if isinstance(tags, Mapping):
        return {key: str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags or []}


def tag_list(tags: Any) -> list[dict[str, str]]:
    """Tags as a list of ``Key`` and ``Value``."""
    return [{"Key": key, "Value": value} for key, value in tag_map(tags).items()]


def unless_missing(call: Callable[[], object], *codes: str) -> None:
    """Make a deleting call; an answer that there is nothing to delete is as good as success."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def refuse(context: Context, what: str) -> ResourceFailedError:
    """The refusal of something AWS can do and the local cloud cannot."""
    return ResourceFailedError(f"{context.type} {context.logical_id}: the local cloud cannot {what}")

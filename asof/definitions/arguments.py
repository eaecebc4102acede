"""The types of arguments that several definitions take, each with its check and its words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, TypeVar

import pydantic
from pydantic import AfterValidator, PlainValidator

from asof.clock import duration_ms
from asof.definitions.base import Definition, Wrong, shown
from asof.errors import RequestError
from asof.names import NAME
from asof.value_types import ValueType

COLUMN: Final = re.compile(r"[a-z_][a-z0-9_]{0,254}")
"""What a source's column may be called: Glue spells column names in lower case."""

Given = timedelta | str | int
"""A duration as it is given: a timedelta, text such as ``90m``, or the number 0."""


def milliseconds(value: Given) -> int:
    """A duration, once validated, in milliseconds."""
    return 0 if isinstance(value, int) else duration_ms(value)


def check_name(value: str, what: str = "the name") -> str:
    """The name itself; raises Wrong where it is not one that Glue, Athena and DynamoDB all take."""
    if not NAME.fullmatch(value):
        raise Wrong(
            f"{what} {value!r} is not usable",
            "begin with a lower-case letter, then lower-case letters, digits and '_', at most 63 in all",
        )
    return value


def attempt_milliseconds(value: object) -> int | None:
    """A duration, not validated yet, in milliseconds; None where it is not one."""
    if isinstance(value, timedelta | str):
        try:
            return duration_ms(value)
        except RequestError:
            return None
    return 0 if value == 0 and not isinstance(value, bool) else None


def _duration(*, positive: bool, optional: bool = False) -> PlainValidator:
    def check(value: Any) -> Any:
        if optional and value is None:
            return value
        length = attempt_milliseconds(value)
        if length is None:
            raise Wrong(
                f"={shown(value)} is not a duration", "give a timedelta, or text such as '90m', '1h30m' or '7d'"
            )
        if positive and not length:
            raise Wrong(f"={shown(value)} must be longer than nothing", "give for example '1h'")
        return value

    return PlainValidator(check)


def check_type(value: Any, *, place: str = "") -> Any:
    """The value itself; raises Wrong where it is not one of the types."""
    if not isinstance(value, ValueType):
        known = "Int64, Float64, Bool, String, Timestamp, Date, Array(...), Embedding(dim)"
        raise Wrong(f"{place}={shown(value)} is not a type", f"the types are {known}, from asof.definitions")
    return value


def _check_version(value: int) -> int:
    if value < 1:
        raise Wrong(f"={value} is not a version", "versions are 1, 2, 3, ...")
    return value


def instance_of(*kinds: type) -> PlainValidator:
    """Requires an instance of one of the classes as it is; nothing is converted."""

    def check(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise Wrong(f"={shown(value)} is not allowed here", f"give {' or '.join(_article(kind) for kind in kinds)}")
        return value

    return PlainValidator(check)


def _article(kind: type) -> str:
    words = {"str": "text such as 'view:feature'", "Selectable": "a view", "FeatureSelection": 'view[["feature"]]'}
    return words.get(kind.__name__, f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}")


T = TypeVar("T")
Many = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list or tuple, kept as a tuple."""
Name = Annotated[str, AfterValidator(check_name)]
Duration = Annotated[Given, _duration(positive=False)]
"""A length of time, 0 included."""
PositiveDuration = Annotated[Given, _duration(positive=True)]
OptionalDuration = Annotated[Given | None, _duration(positive=False, optional=True)]
OptionalPositiveDuration = Annotated[Given | None, _duration(positive=True, optional=True)]
Type = Annotated[ValueType, PlainValidator(check_type)]
Version = Annotated[int, AfterValidator(_check_version)]


class Published(Definition):
    """A definition with a name that others refer to, and words for its readers."""

    _collected: ClassVar[bool] = True

    name: Name
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = pydantic.Field(default_factory=dict)

"""Partition projection: a table's partitions follow a rule in its properties instead of being registered.

Athena reckons every partition the rule allows and looks for its objects. Here the objects are looked at, and the
partitions they are in kept where the rule allows them, which finds the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from asof.clock import Clock, from_ms
from asof.local.athena.catalog import Partition, Table
from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.objects import Listing, folder, split_uri

_ENABLED: Final = "projection.enabled"
_TEMPLATE: Final = "storage.location.template"
_DAY: Final = "yyyy-MM-dd"
_NOW: Final = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*DAYS?)?", re.IGNORECASE)

Test = Callable[[str], bool]


def is_projected(table: Table) -> bool:
    """Whether the table's partitions follow a rule; those registered are then not looked at."""
    return _properties(table).get(_ENABLED, "").lower() == "true"


def projected(table: Table, listing: Listing, clock: Clock) -> list[Partition]:
    """The partitions that hold objects, in order of their values.

    Raises QueryFailedError for a key without a rule, and for rules other than days and enumerations.
    """
    properties = _properties(table)
    allowed = [_rule(key.name, properties, clock) for key in table.partition_keys]
    plain = "".join(f"{key.name}=${{{key.name}}}/" for key in table.partition_keys)
    template = folder(properties.get(_TEMPLATE) or folder(table.location) + plain)
    bucket, _ = split_uri(template)
    parts = re.split(r"\$\{([^}]*)\}", template)
    pattern = re.compile("".join(f"(?P<{part}>[^/]*)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))
    # What is listed is a folder; a template may vary within the name of one.
    start = parts[0].rpartition("/")[0] + "/"
    found: dict[tuple[str, ...], str] = {}
    for item in listing.under(start):
        match = pattern.match(f"s3://{bucket}/{item.key}")
        if match is None:
            continue
        values = tuple(match[key.name] for key in table.partition_keys)
        if all(test(value) for test, value in zip(allowed, values, strict=True)):
            found[values] = match[0]
    return [Partition(values, place) for values, place in sorted(found.items())]


def _properties(table: Table) -> Mapping[str, str]:
    properties: Mapping[str, str] = table.input.get("Parameters") or {}
    return properties


def _rule(key: str, properties: Mapping[str, str], clock: Clock) -> Test:
    """Whether the rule of a partition key allows a value."""
    kind = properties.get(f"projection.{key}.type")
    given = properties.get(f"projection.{key}.{'values' if kind == 'enum' else 'range'}", "")
    if kind == "enum":
        values = given.split(",")
        return values.__contains__
    if kind == "date" and properties.get(f"projection.{key}.format") == _DAY:
        first, last = (_day(key, each, clock) for each in given.partition(",")[::2])
        return lambda value: first <= value <= last and _is_day(value)
    if kind is None:
        raise QueryFailedError("INVALID_TABLE_PROPERTY", f"projection.{key}.type is not set; every key needs a rule")
    raise not_supported(f"derive partitions of type {kind!r} (only enum, and date in the format {_DAY})")


def _day(key: str, text: str, clock: Clock) -> str:
    text = text.strip()
    if _is_day(text):
        return text
    match = _NOW.fullmatch(text)
    if match is None:
        raise QueryFailedError("INVALID_TABLE_PROPERTY", f"projection.{key}.range holds {text!r}, which is no day")
    days = int(match[2] or 0) * (-1 if match[1] == "-" else 1)
    return (from_ms(clock.now_ms()).date() + timedelta(days=days)).isoformat()


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False

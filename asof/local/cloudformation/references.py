"""Which resources a resource needs, and an order in which each comes after those it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from asof.local.cloudformation.errors import ValidationError

SUBSTITUTION: Final = re.compile(r"\$\{([^!}][^}]*)\}")
"""A ``${Name}`` or ``${Resource.Attribute}`` of Fn::Sub."""


def names(value: Any) -> Iterator[str]:
    """Every name that Ref, Fn::GetAtt or Fn::Sub in a value refers to, parameters and pseudo parameters among them."""
    if isinstance(value, list):
        for item in value:
            yield from names(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item.partition(".")[0] if isinstance(item, str) else item[0]
            else:
                if key == "Fn::Sub":
                    yield from _substitutions(item)
                yield from names(item)


def _substitutions(value: Any) -> Iterator[str]:
    text, own = (value[0], set(value[1])) if isinstance(value, list) else (value, set())
    for name in SUBSTITUTION.findall(text):
        if name not in own:
            yield name.partition(".")[0]


def needs(definition: Mapping[str, Any], among: Mapping[str, Any]) -> list[str]:
    """The resources among the given ones that a resource's definition refers to or depends on."""
    explicit = definition.get("DependsOn") or []
    found = [*([explicit] if isinstance(explicit, str) else explicit), *names(definition.get("Properties", {}))]
    return [name for name in dict.fromkeys(found) if name in among]


def ordered(resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Logical ids, each after those it needs, otherwise as the template has them; raises where they form a circle."""
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in path:
            circle = ", ".join(path[path.index(name) :])
            raise ValidationError(f"Circular dependency between resources: [{circle}]")
        path.append(name)
        for needed in needs(resources[name], resources):
            visit(needed)
        path.pop()
        done[name] = None

    for name in resources:
        visit(name)
    return list(done)

"""What a request would change in a stack: the lines of a change set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asof.local.cloudformation.deployment import present
from asof.local.cloudformation.errors import ValidationError
from asof.local.cloudformation.expressions import Expressions
from asof.local.cloudformation.model import Change, Request, Stack
from asof.local.cloudformation.provider import ResourceType
from asof.local.cloudformation.references import needs, ordered


def changes(
    stack: Stack, request: Request, expressions: Expressions, types: Callable[[str], ResourceType | None]
) -> tuple[Change, ...]:
    """Resources to add, modify and remove, in the order in which that would happen.

    A resource that refers to one that changes counts as modified, since its values are known only afterwards.
    """
    wanted = present(request.template, expressions)
    found: list[Change] = []
    touched: set[str] = set()
    for logical_id in ordered(wanted):
        definition = wanted[logical_id]
        old = stack.resources.get(logical_id)
        if old is None:
            found.append(Change("Add", logical_id, definition["Type"]))
            touched.add(logical_id)
            continue
        kind = types(definition["Type"])
        new = _properties(definition, expressions)
        depends = bool(touched.intersection(needs(definition, wanted)))
        if (
            new is None
            or old.properties != new
            or old.type != definition["Type"]
            or _policies(definition) != _policies(old.definition)
        ):
            replaced = old.type != definition["Type"] or (
                new is not None and kind is not None and kind.replaces(old.properties, new)
            )
            found.append(Change("Modify", logical_id, old.type, old.physical_id, "True" if replaced else "False"))
            touched.add(logical_id)
        elif depends:
            found.append(Change("Modify", logical_id, old.type, old.physical_id, "Conditional"))
    gone = [each for name, each in stack.resources.items() if name not in wanted]
    found.extend(Change("Remove", each.logical_id, each.type, each.physical_id) for each in gone)
    return tuple(found)


def _properties(definition: Mapping[str, Any], expressions: Expressions) -> Mapping[str, Any] | None:
    """Resolved properties, or None where they are not known yet."""
    try:
        found: Mapping[str, Any] = expressions.resolve(definition.get("Properties") or {})
    except ValidationError:
        return None
    return found


def _policies(definition: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(definition.get(name) for name in ("DeletionPolicy", "UpdateReplacePolicy", "Metadata"))

"""A template's parameters: given, defaulted, checked, and turned into values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from asof.local.cloudformation.errors import ValidationError
from asof.local.cloudformation.template import Template


def resolved(template: Template, given: Mapping[str, str], ssm: Callable[[str], str]) -> dict[str, Any]:
    """The value of each parameter of the template.

    Raises ValidationError for a parameter that is unknown, missing, or outside what the template allows.
    """
    declared = template.section("Parameters")
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, each in declared.items() if name not in given and "Default" not in each]
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _value(name, each, str(given.get(name, each.get("Default"))), ssm) for name, each in declared.items()}


def _value(name: str, declared: Mapping[str, Any], text: str, ssm: Callable[[str], str]) -> Any:
    kind = declared.get("Type", "String")
    if "AllowedValues" in declared and text not in map(str, declared["AllowedValues"]):
        raise ValidationError(f"Parameter '{name}' must be one of AllowedValues")
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        described = declared.get("ConstraintDescription") or f"must match pattern {pattern}"
        raise ValidationError(f"Parameter {name} failed to satisfy constraint: {described}")
    if kind.startswith("AWS::SSM::Parameter::Value<"):
        text = ssm(text)
        kind = kind.removeprefix("AWS::SSM::Parameter::Value<")[:-1]
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in text.split(",")]
    if kind == "Number":
        try:
            return int(text)
        except ValueError:
            return float(text)
    return text


def shown(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Parameters as DescribeStacks shows them: what must not be echoed is masked."""
    return {
        name: "****" if str(each.get("NoEcho", False)).lower() == "true" else str(given.get(name, each.get("Default")))
        for name, each in template.section("Parameters").items()
    }

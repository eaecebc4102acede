"""CloudFormation's intrinsic functions, conditions and dynamic references."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from asof.local.cloudformation.errors import ValidationError
from asof.local.cloudformation.references import SUBSTITUTION
from asof.local.cloudformation.template import Template

NO_VALUE: Final = object()
"""What ``AWS::NoValue`` is: the property that has it is left out."""

_DYNAMIC = re.compile(r"\{\{resolve:([^:}]+):([^}]+)\}\}")


@dataclass(frozen=True, slots=True)
class World:
    """What expressions can look at outside the template. Each raises ValidationError for what does not exist.

    ``reference`` gives a resource's Ref, ``attribute`` its Fn::GetAtt, ``exported`` another stack's export,
    ``parameter`` the value of an SSM parameter.
    """

    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    exported: Callable[[str], Any]
    parameter: Callable[[str], str]


class Expressions:
    """Evaluates what a template says. ``values`` are its parameters and pseudo parameters."""

    def __init__(self, template: Template, values: Mapping[str, Any], world: World) -> None:
        self._template = template
        self._values = values
        self._world = world
        self._conditions: dict[str, bool] = {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": lambda value: self.resolve(value[1]).split(value[0]),
            "Fn::Select": self._select,
            "Fn::If": lambda value: self.resolve(value[1] if self.condition(value[0]) else value[2]),
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": lambda value: self._world.exported(self.resolve(value)),
            "Fn::Base64": lambda value: base64.b64encode(str(self.resolve(value)).encode()).decode(),
            "Fn::ToJsonString": lambda value: json.dumps(self.resolve(value), separators=(",", ":")),
            "Fn::GetAZs": lambda value: [f"{self.resolve(value) or self._values['AWS::Region']}{az}" for az in "abc"],
            "Fn::Equals": lambda value: self.resolve(value[0]) == self.resolve(value[1]),
            "Fn::Not": lambda value: not self._truth(value[0]),
            "Fn::And": lambda value: all(map(self._truth, value)),
            "Fn::Or": lambda value: any(map(self._truth, value)),
            "Fn::Contains": lambda value: self.resolve(value[1]) in self.resolve(value[0]),
        }

    def resolve(self, value: Any) -> Any:
        """The value with every function evaluated and properties without a value left out."""
        if isinstance(value, dict):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if (
                    name == "Condition"
                    and isinstance(argument, str)
                    and argument in self._template.section("Conditions")
                ):
                    return self.condition(argument)
                if name in self._functions:
                    return self._functions[name](argument)
                if name.startswith("Fn::"):
                    raise ValidationError(f"Template error: the local cloud cannot do the function {name}")
            found = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in found.items() if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if isinstance(value, str):
            return _DYNAMIC.sub(self._dynamic, value)
        return value

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            conditions = self._template.section("Conditions")
            if name not in conditions:
                raise ValidationError(f"Template error: unresolved condition dependency {name}")
            self._conditions[name] = self._truth(conditions[name])
        return self._conditions[name]

    def _truth(self, value: Any) -> bool:
        result = self.resolve(value)
        if isinstance(result, str):
            return result.lower() == "true"
        return bool(result)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._values[name] if name in self._values else self._world.reference(name)

    def _get_att(self, value: Any) -> Any:
        name, attribute = value.split(".", 1) if isinstance(value, str) else value
        return self._world.attribute(name, self.resolve(attribute))

    def _sub(self, value: Any) -> str:
        text, own = value if isinstance(value, list) else (value, {})

        def replaced(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in own:
                return str(self.resolve(own[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return self.resolve(SUBSTITUTION.sub(replaced, text)).replace("${!", "${")  # type: ignore[no-any-return] # str

    def _join(self, value: Any) -> str:
        return str(value[0]).join(_text(item) for item in self.resolve(value[1]))

    def _select(self, value: Any) -> Any:
        index, items = int(self.resolve(value[0])), self.resolve(value[1])
        if not 0 <= index < len(items):
            raise ValidationError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return items[index]

    def _find_in_map(self, value: Any) -> Any:
        found: Any = self._template.section("Mappings")
        path = [self.resolve(item) for item in value[:3]]
        for key in path:
            if key not in found:
                if len(value) == 4 and "DefaultValue" in value[3]:
                    return self.resolve(value[3]["DefaultValue"])
                raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(path)}")
            found = found[key]
        return found

    def _dynamic(self, match: re.Match[str]) -> str:
        service, key = match[1], match[2]
        if service != "ssm":
            raise ValidationError(f"Template error: the local cloud cannot resolve {match[0]}: only ssm")
        return self._world.parameter(key)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

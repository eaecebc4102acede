"""On-demand features: the pure Python function of a manifest's view, compiled, called, and its answer checked.

The same function runs over training rows and over a lookup's answer. It sees its inputs, a few builtins and a few
modules of the standard library, and nothing that reads the world or the time: what it may use is listed here, and the
definitions are checked against the same lists (``asof.definitions.purity``). That check is for honest code: this
module keeps mistakes out of serving, not attackers.
"""

from __future__ import annotations
import __future__

import builtins
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import ModuleType
from typing import Any, Final

from asof.clock import from_ms, to_ms
from asof.errors import NaiveDatetimeError, OnDemandError, RequestError
from asof.manifest import OnDemandFeatureView
from asof.value_types import ValueType, parse_type

# fmt: off
SAFE_BUILTINS: Final = frozenset({
    "abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "complex", "dict", "divmod", "enumerate",
    "filter", "float", "format", "frozenset", "hex", "int", "isinstance", "issubclass", "iter", "len", "list", "map",
    "max", "min", "next", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str",
    "sum", "tuple", "zip", "ArithmeticError", "AttributeError", "Exception", "IndexError", "KeyError", "LookupError",
    "OverflowError", "RuntimeError", "StopIteration", "TypeError", "ValueError", "ZeroDivisionError",
})
# fmt: on
"""Builtins a function may use. ``hash`` and ``id`` differ from process to process, so they are not among them."""

# fmt: off
SAFE_MODULES: Final = frozenset({
    "base64", "bisect", "collections", "datetime", "decimal", "fractions", "functools", "hashlib", "heapq",
    "itertools", "json", "math", "operator", "re", "statistics", "string", "textwrap",
})
# fmt: on
"""Modules a function may import, inside its body."""

Function = Callable[[Mapping[str, object]], dict[str, object]]


def compile_function(view: OnDemandFeatureView) -> Function:
    """A callable from the view's inputs (a mapping of input name to Python value, None for null) to its features.

    The function sees each input as its type holds it (instants in UTC), so that it cannot tell training from serving.

    The callable raises RequestError where an input is missing or not of its type, and OnDemandError where the function
    fails, returns anything but exactly the declared features, or returns a value that does not fit its declared type.
    Compiling raises OnDemandError where the code cannot be compiled.
    """
    function = _function(view)
    inputs = {each.name: parse_type(each.dtype) for each in view.inputs}
    types = {each.name: parse_type(each.dtype) for each in view.features}

    def call(values: Mapping[str, object]) -> dict[str, object]:
        given = _inputs(view.reference, inputs, values)
        try:
            answer = function(given)
        except Exception as error:
            raise OnDemandError(
                f"function {view.function!r} of on-demand view {view.reference} failed: {type(error).__name__}: {error}"
            ) from error
        return _checked(view.reference, types, answer)

    return call


def conform(value: object, value_type: ValueType) -> object:
    """The Python value as its type holds it: instants floored to milliseconds in UTC, whole numbers as floats.

    None stays None. Raises ValueError, saying why, where the value does not fit.
    """
    if value is None:
        return None
    try:
        if value_type.kind == "Embedding":
            return _embedding(value, int(value_type.dim or 0))
        if value_type.kind == "Array":
            return [_SCALARS[str(value_type.item)](each) for each in _items(value)]
        return _SCALARS[value_type.kind](value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _inputs(reference: str, types: Mapping[str, ValueType], values: Mapping[str, object]) -> dict[str, object]:
    missing = [name for name in types if name not in values]
    if missing:
        raise RequestError(f"on-demand view {reference} needs {', '.join(missing)}; got {sorted(values)}")
    given: dict[str, object] = {}
    for name, value_type in types.items():
        try:
            given[name] = conform(values[name], value_type)
        except ValueError as error:
            raise RequestError(f"input {name!r} of on-demand view {reference} is not a {value_type}: {error}") from None
    return given


def _checked(reference: str, types: Mapping[str, ValueType], answer: object) -> dict[str, object]:
    if not isinstance(answer, Mapping):
        raise OnDemandError(f"on-demand view {reference} returned a {type(answer).__name__}, not a dict of features")
    problems = [f"feature {name!r} is missing" for name in types if name not in answer]
    problems += [f"{name!r} is not declared" for name in answer if name not in types]
    features: dict[str, object] = {}
    for name, value_type in types.items():
        try:
            features[name] = conform(answer.get(name), value_type)
        except ValueError as error:
            problems.append(f"feature {name!r} is not a {value_type}: {error}")
    if problems:
        raise OnDemandError(f"on-demand view {reference} returned something else than declared: {'; '.join(problems)}")
    return features


def _function(view: OnDemandFeatureView) -> Callable[[dict[str, object]], object]:
    scope: dict[str, Any] = {"__builtins__": _restricted_builtins(), "__name__": f"<{view.reference}>"}
    try:
        # Annotations are words here: names such as ``Any`` in them are never evaluated.
        code = compile(
            view.code, f"<{view.reference}>", "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True
        )
        # The code was written by the owner of this store, reviewed as a definition, and checked for purity there.
        exec(code, scope)  # noqa: S102
        function: Callable[[dict[str, object]], object] = scope[view.function]
    except (SyntaxError, ValueError, NameError, KeyError, OnDemandError) as error:
        raise OnDemandError(
            f"the code of on-demand view {view.reference} does not define {view.function!r}: {error}"
        ) from error
    return function


def _restricted_builtins() -> dict[str, object]:
    return {name: getattr(builtins, name) for name in SAFE_BUILTINS} | {"__import__": _import}


def _import(
    name: str,
    scope: Mapping[str, object] | None = None,
    local: Mapping[str, object] | None = None,
    names: tuple[str, ...] = (),
    level: int = 0,
) -> ModuleType:
    if level or name.partition(".")[0] not in SAFE_MODULES:
        raise OnDemandError(f"{name!r} cannot be imported; allowed are {', '.join(sorted(SAFE_MODULES))}")
    return builtins.__import__(name, scope, local, names, level)


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not an int")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is outside [-2**63, 2**63)")
    return int(value)


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a float")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{value} is too large for a float") from None
    if isinstance(value, int) and number != value:
        raise ValueError(f"no float is equal to {value}")
    return number


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a bool")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value!r} is not valid Unicode") from None
    return value


def _timestamp(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a datetime")
    try:
        return from_ms(to_ms(value))
    except NaiveDatetimeError:
        raise ValueError(f"{value!r} has no time zone") from None


def _date(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a date")
    return value


def _items(value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is a {type(value).__name__}, not a list")
    if any(each is None for each in value):
        raise ValueError("a list holds no nulls")
    return value


def _embedding(value: object, dim: int) -> list[float]:
    values = _items(value)
    if len(values) != dim:
        raise ValueError(f"it has {len(values)} values, not {dim}")
    numbers = [_float(each) for each in values]
    try:
        # To float32 and back, as every store holds it: training and serving then see the same value.
        packed = struct.pack(f"<{dim}f", *numbers)
    except OverflowError:
        largest = max((each for each in numbers if math.isfinite(each)), key=abs)
        raise ValueError(f"{largest} is too large for a float32") from None
    return list(struct.unpack(f"<{dim}f", packed))


_SCALARS: Final[Mapping[str, Callable[[object], object]]] = {
    "Int64": _int,
    "Float64": _float,
    "Bool": _bool,
    "String": _string,
    "Timestamp": _timestamp,
    "Date": _date,
}

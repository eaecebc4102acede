"""On-demand functions at run time: what they may touch, and what they must return."""

from __future__ import annotations

import textwrap
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from asof.errors import OnDemandError, RequestError
from asof.manifest import Feature, OnDemandFeatureView, OnDemandInput
from asof.on_demand import SAFE_BUILTINS, SAFE_MODULES, compile_function, conform
from asof.value_types import Array, Bool, Date, Embedding, Float64, Int64, String, Timestamp, ValueType

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def _view(body: str, **features: str) -> OnDemandFeatureView:
    code = "def risk(inputs: dict[str, Any]) -> dict[str, Any]:\n" + textwrap.indent(body, "    ")
    return OnDemandFeatureView(
        name="risk",
        version=2,
        inputs=(OnDemandInput("x", "Int64"), OnDemandInput("y", "Float64", "view", 1, "y")),
        features=tuple(Feature(name, dtype) for name, dtype in (features or {"z": "Float64"}).items()),
        function="risk",
        code=code,
    )


def test_a_function_maps_inputs_to_features() -> None:
    call = compile_function(_view("import math\nreturn {'z': math.sqrt(inputs['x']) + (inputs['y'] or 0)}"))
    assert call({"x": 4, "y": 0.5}) == {"z": 2.5}
    assert call({"x": 9, "y": None, "more": 1}) == {"z": 3.0}


def test_a_function_sees_its_declared_inputs_alone() -> None:
    call = compile_function(_view("return {'z': sorted(inputs)}", z="Array<String>"))
    assert call({"x": 1, "y": 2.0, "secret": 3}) == {"z": ["x", "y"]}


def test_a_function_cannot_change_its_callers_inputs() -> None:
    given = {"x": 1, "y": 2.0}
    compile_function(_view("inputs.clear()\nreturn {'z': None}"))(given)
    assert given == {"x": 1, "y": 2.0}


def test_missing_inputs_are_named() -> None:
    with pytest.raises(RequestError, match=r"risk@v2 needs x, y; got \['other'\]"):
        compile_function(_view("return {}"))({"other": 1})


@pytest.mark.parametrize(
    "body", ["open('x')", "print(1)", "eval('1')", "__build_class__", "hash('a')", "getattr(1, '')"]
)
def test_other_builtins_do_not_exist(body: str) -> None:
    with pytest.raises(OnDemandError, match="NameError"):
        compile_function(_view(body))({"x": 1, "y": 1.0})


@pytest.mark.parametrize("module", ["os", "time", "random", "builtins", "importlib", "sys"])
def test_other_modules_cannot_be_imported(module: str) -> None:
    with pytest.raises(OnDemandError, match=f"'{module}' cannot be imported"):
        compile_function(_view(f"import {module}"))({"x": 1, "y": 1.0})


def test_every_safe_builtin_and_module_is_there() -> None:
    body = "\n".join([f"import {module}" for module in sorted(SAFE_MODULES)])
    names = ", ".join(sorted(SAFE_BUILTINS))
    compile_function(_view(f"{body}\n[{names}]\nreturn {{'z': 1}}"))({"x": 1, "y": 1.0})


def test_a_failing_function_is_told_with_its_view() -> None:
    with pytest.raises(OnDemandError, match="'risk' of on-demand view risk@v2 failed: ZeroDivisionError") as caught:
        compile_function(_view("return {'z': 1 / 0}"))({"x": 1, "y": 1.0})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return None", "returned a NoneType, not a dict"),
        ("return {}", "feature 'z' is missing"),
        ("return {'z': 1.0, 'a': 2}", "'a' is not declared"),
        ("return {'z': 'much'}", "feature 'z' is not a Float64: 'much' is a str, not a float"),
        ("return {'y': 1, 'z': True}", "'y' is not declared; feature 'z' is not a Float64: True is a bool"),
    ],
)
def test_an_answer_that_is_not_as_declared_is_refused_with_all_that_is_wrong(body: str, what: str) -> None:
    with pytest.raises(OnDemandError) as caught:
        compile_function(_view(body))({"x": 1, "y": 1.0})
    assert what in str(caught.value)


@pytest.mark.parametrize("code", ["def risk(:", "def other(inputs):\n    return {}", "import os", "x = undefined"])
def test_code_that_does_not_define_the_function_is_refused(code: str) -> None:
    view = OnDemandFeatureView("risk", 1, (), (), "risk", code)
    with pytest.raises(OnDemandError, match="does not define 'risk'"):
        compile_function(view)


@pytest.mark.parametrize(
    ("value", "value_type", "kept"),
    [
        (None, Int64, None),
        (2**63 - 1, Int64, 2**63 - 1),
        (3, Float64, 3.0),
        (float("inf"), Float64, float("inf")),
        (True, Bool, True),
        ("ä", String, "ä"),
        (NOON.replace(microsecond=1_999), Timestamp, NOON.replace(microsecond=1_000)),
        (NOON.astimezone(timezone(timedelta(hours=-5))), Timestamp, NOON),
        (date(2026, 1, 31), Date, date(2026, 1, 31)),
        ((1, 2), Array(Int64), [1, 2]),
        ([1, 2.5], Array(Float64), [1.0, 2.5]),
        ([], Array(String), []),
        ([0.1, 1], Embedding(2), [0.10000000149011612, 1.0]),
    ],
)
def test_values_as_their_types_hold_them(value: Any, value_type: ValueType, kept: Any) -> None:
    found = conform(value, value_type)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("value", "value_type", "why"),
    [
        (True, Int64, "True is a bool, not an int"),
        (1.0, Int64, "1.0 is a float, not an int"),
        (2**63, Int64, "is outside"),
        (True, Float64, "True is a bool, not a float"),
        (2**53 + 1, Float64, "no float is equal to"),
        (10**400, Float64, "is too large for a float"),
        (1, Bool, "1 is a int, not a bool"),
        (b"a", String, "is a bytes, not a str"),
        ("\ud800", String, "is not valid Unicode"),
        (datetime(2026, 1, 31), Timestamp, "has no time zone"),  # noqa: DTZ001 - a naive value is the point
        ("2026-01-31", Timestamp, "is a str, not a datetime"),
        (NOON, Date, "is a datetime, not a date"),
        ("ab", Array(String), "is a str, not a list"),
        ([1, None], Array(Int64), "a list holds no nulls"),
        ([1, "2"], Array(Int64), "'2' is a str, not an int"),
        ([1.0], Embedding(2), "it has 1 values, not 2"),
        ([1.0, 1e39], Embedding(2), "1e+39 is too large for a float32"),
    ],
)
def test_values_that_do_not_fit(value: Any, value_type: ValueType, why: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        conform(value, value_type)
    assert why in str(caught.value)

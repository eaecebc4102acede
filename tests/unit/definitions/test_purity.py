"""On-demand functions: what keeps one from being pure, and what of its text is meaning."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from asof.definitions import Field, Float64, Int64, RequestSource, discover, on_demand_feature_view
from asof.definitions.purity import impurities, meaning
from asof.errors import DefinitionError
from tests.support.definitions import folder

REQUEST = RequestSource(name="request", schema=[Field(name="x", dtype=Int64)])
OUTPUT = [Field(name="y", dtype=Float64)]


def _whats(body: str, head: str = "def f(inputs):") -> list[str]:
    return [wrong.what for wrong in impurities(f"{head}\n" + textwrap.indent(textwrap.dedent(body), "    "))]


@pytest.mark.parametrize(
    "body",
    [
        "return {'y': inputs['x'] * 2}",
        "import math\nfrom datetime import datetime, timezone\nreturn {'y': math.sqrt(inputs['x'])}",
        "import collections.abc as abc\nreturn {'y': isinstance(inputs, abc.Mapping)}",
        "total = 0.0\nfor name, value in sorted(inputs.items()):\n    total += value\nreturn {'y': total}",
        "def double(v, *, by=2):\n    return v * by\nreturn {k: double(v) for k, v in inputs.items()}",
        "try:\n    y = 1 / inputs['x']\nexcept ZeroDivisionError as error:\n    y = str(error)\nreturn {'y': y}",
        "if (n := inputs['x']) and (lambda v: v > 1)(n):\n    return {'y': n}\nreturn {'y': None}",
        "match inputs:\n    case {'x': int(n), **rest}:\n        return {'y': n, **rest}",
        "return {'y': [*(a for a in [1])]}",
        "from datetime import datetime, timezone\nreturn {'y': datetime.fromtimestamp(inputs['x'], timezone.utc)}",
        "y: Undefined = 1\nreturn {'y': y}",
    ],
)
def test_pure_functions(body: str) -> None:
    assert _whats(body) == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return {'y': THRESHOLD}", "the function uses 'THRESHOLD', which is not its own"),
        ("return {'y': open('x').read()}", "the function uses 'open', which is not its own"),
        ("return {'y': eval('1')}", "the function uses 'eval', which is not its own"),
        ("print(inputs)", "the function uses 'print', which is not its own"),
        ("return {'y': __import__('os')}", "the function uses '__import__', which is not its own"),
        ("return {'y': hash(inputs['x'])}", "the function uses 'hash', which is not its own"),
        ("import random\nreturn {'y': random.random()}", "the function imports 'random'"),
        ("import os.path", "the function imports 'os.path'"),
        ("import math, time", "the function imports 'time'"),
        ("from . import helper", "the function imports '.'"),
        ("from urllib.request import urlopen", "the function imports 'urllib.request'"),
        ("from datetime import datetime\nreturn {'y': datetime.now()}", "the function reads the clock with 'now'"),
        ("from datetime import date\nreturn {'y': date.today()}", "the function reads the clock with 'today'"),
        ("return {'y': inputs.__class__}", "the function reads the private attribute '__class__'"),
        ("global y\ny = 1", "the function changes a global name"),
        ("class C:\n    pass", "the function defines a class"),
        ("yield 1", "the function is a generator"),
        ("from datetime import datetime\ndatetime.fromtimestamp(0)", "fromtimestamp() uses the machine's time zone"),
        ("return {'y': inputs['x'].astimezone()}", "astimezone() uses the machine's time zone"),
    ],
)
def test_impure_functions(body: str, what: str) -> None:
    assert _whats(body) == [what]


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("def f():", "function 'f' must take one argument"),
        ("def f(a, b):", "function 'f' must take one argument"),
        ("def f(a, *, b):", "function 'f' must take one argument"),
        ("def f(*a):", "function 'f' must take one argument"),
        ("def f(a={}):", "function 'f' must take one argument"),
        ("@cache\ndef f(a):", "function 'f' has another decorator"),
        ("async def f(a):", "the code is not one function"),
        ("x = 1\ndef f(a):", "the code is not one function"),
        ("def f(a:", "the function cannot be parsed: "),
    ],
)
def test_functions_of_another_shape(head: str, what: str) -> None:
    assert any(each.startswith(what) for each in _whats("return {}", head))


def test_annotations_may_name_anything() -> None:
    assert _whats("return {}", "def f(inputs: dict[str, Any]) -> Mapping[str, Unheard]:") == []


def test_all_impurities_are_told_with_their_lines() -> None:
    code = "def f(inputs):\n    import time\n    a = time.time()\n    return {'y': a + LIMIT, 'z': open(inputs)}\n"
    assert [(wrong.line, wrong.what.rpartition(" ")[2]) for wrong in impurities(code)] == [
        (1, "'time'"),
        (3, "own"),
        (3, "own"),
    ]


def test_comments_blank_lines_and_the_docstring_are_words() -> None:
    plain = 'def f(inputs):\n    x = "# not a comment"\n    return {"y": x}\n'
    worded = (
        'def f(inputs):\n    """What it does.\n\n    At length.\n    """\n\n    x = "# not a comment"  # a comment\n'
        '    # another\n    return {"y": x}\n'
    )
    assert meaning(worded) == meaning(plain)
    assert meaning(plain.replace('"y"', '"z"')) != meaning(plain)


def test_the_decorator_keeps_the_functions_own_text() -> None:
    @on_demand_feature_view(sources=[REQUEST], schema=OUTPUT, version=3, owner="me")
    def doubled(inputs: dict[str, Any]) -> dict[str, Any]:
        """Twice the input.

        At length.
        """
        return {"y": 2.0 * inputs["x"]}  # twice

    assert (doubled.name, doubled.function, doubled.version, doubled.owner) == ("doubled", "doubled", 3, "me")
    assert doubled.description == "Twice the input."
    assert doubled.code.startswith("def doubled(inputs: dict[str, Any])")
    assert doubled.code.endswith('    return {"y": 2.0 * inputs["x"]}  # twice\n')


def test_the_name_and_the_description_may_be_given() -> None:
    @on_demand_feature_view(sources=[REQUEST], schema=OUTPUT, name="other", description="Said here.")
    def doubled(inputs: dict[str, Any]) -> dict[str, Any]:
        """Said there."""
        return {"y": 2.0 * inputs["x"]}

    assert (doubled.name, doubled.function, doubled.description) == ("other", "doubled", "Said here.")


def test_what_is_no_function_with_a_text_of_its_own_is_refused() -> None:
    decorate = on_demand_feature_view(sources=[REQUEST], schema=OUTPUT, name="named")
    with pytest.raises(DefinitionError, match="the code is not one function"):
        decorate(lambda inputs: {"y": inputs["x"]})
    with pytest.raises(DefinitionError, match="cannot be parsed"):
        decorate(dict)
    scope: dict[str, Any] = {}
    exec("def typed(inputs):\n    return {}", scope)
    with pytest.raises(DefinitionError, match="cannot be parsed"):
        decorate(scope["typed"])


def test_impurities_in_a_file_are_told_at_their_own_lines(tmp_path: Path) -> None:
    text = """
    LIMIT = 3

    @on_demand_feature_view(
        sources=[RequestSource(name="request", schema=[Field(name="x", dtype=Int64)])],
        schema=[Field(name="y", dtype=Bool)],
    )
    def risky(inputs):
        # a comment
        import random

        return {"y": inputs["x"] > LIMIT}
    """
    with pytest.raises(DefinitionError) as caught:
        discover(folder(tmp_path, {"views.py": text}))
    assert [(problem.line, problem.what) for problem in caught.value.problems] == [
        (10, "OnDemandFeatureView 'risky': the function imports 'random'"),
        (12, "OnDemandFeatureView 'risky': the function uses 'LIMIT', which is not its own"),
    ]

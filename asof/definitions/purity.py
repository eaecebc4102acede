"""Whether an on-demand function is pure: its answer depends on its inputs alone, in training and in serving alike."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from typing import Final

from asof.definitions.base import Wrong
from asof.on_demand import SAFE_BUILTINS, SAFE_MODULES

_CLOCKS: Final = frozenset({"now", "utcnow", "today"})
_STATEMENTS: Final[dict[type[ast.AST], str]] = {
    ast.Global: "changes a global name",
    ast.ClassDef: "defines a class",
    ast.Yield: "is a generator",
    ast.YieldFrom: "is a generator",
    ast.Await: "waits for something",
    ast.AsyncFor: "waits for something",
    ast.AsyncWith: "waits for something",
    ast.AsyncFunctionDef: "waits for something",
}


def impurities(code: str) -> Iterator[Wrong]:
    """What keeps a function's source text from being pure; ``line`` of each counts from 0 at the text's first line."""
    try:
        module = ast.parse(code)
    except SyntaxError as error:
        yield Wrong(f"the function cannot be parsed: {error.msg}", line=(error.lineno or 1) - 1)
        return
    function = module.body[0] if len(module.body) == 1 else None
    if not isinstance(function, ast.FunctionDef):
        yield Wrong("the code is not one function", "write def name(inputs: dict) -> dict")
        return
    yield from _signature(function)
    nodes = list(_nodes(function))
    known = _bound(nodes) | SAFE_BUILTINS
    for node in nodes:
        for wrong in _wrongs(node, known):
            wrong.line = getattr(node, "lineno", 1) - 1
            yield wrong


def meaning(code: str) -> str:
    """A function's source text without its comments, blank lines and docstring: what a change of words leaves alone."""
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    function = ast.parse(code).body[0]
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None:
        docstring = function.body[0]
        for row in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
            lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _signature(function: ast.FunctionDef) -> Iterator[Wrong]:
    arguments = function.args
    others = [*arguments.posonlyargs[1:], *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    if len([*arguments.posonlyargs, *arguments.args]) != 1 or any(others) or arguments.defaults:
        yield Wrong(f"function {function.name!r} must take one argument", "write def name(inputs: dict) -> dict")
    if function.decorator_list:
        yield Wrong(f"function {function.name!r} has another decorator", "only the function's own text is kept")


def _nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Every node of the function but its annotations, which are words and never evaluated."""
    pending: list[ast.AST] = [function]
    while pending:
        node = pending.pop(0)
        yield node
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                children = value if isinstance(value, list) else [value]
                pending += [child for child in children if isinstance(child, ast.AST)]


def _bound(nodes: list[ast.AST]) -> set[str]:
    """The names that the function itself gives a value."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.alias(name=module, asname=other):
                names.add(other or module.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
    return names


def _wrongs(node: ast.AST, known: set[str] | frozenset[str]) -> Iterator[Wrong]:
    if (what := _STATEMENTS.get(type(node))) is not None:
        yield Wrong(f"the function {what}", "an on-demand function only maps its inputs to features")
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name not in known:
            yield Wrong(
                f"the function uses {name!r}, which is not its own",
                "it may use its inputs, its own names, safe builtins, and modules that it imports in its body",
            )
        case ast.Import(names=aliases):
            yield from _imports([alias.name for alias in aliases])
        case ast.ImportFrom(module=module, level=level):
            yield from _imports(["." * level + (module or "")])
        case ast.Attribute(attr=name) if name.startswith("_"):
            yield Wrong(f"the function reads the private attribute {name!r}", "use public attributes only")
        case ast.Attribute(attr=name) if name in _CLOCKS:
            yield Wrong(f"the function reads the clock with {name!r}", "take the time from a request field")
        case ast.Call(func=ast.Attribute(attr="fromtimestamp"), args=[_], keywords=[]):
            yield Wrong("fromtimestamp() uses the machine's time zone", "give it a time zone: timezone.utc")
        case ast.Call(func=ast.Attribute(attr="astimezone"), args=[], keywords=[]):
            yield Wrong("astimezone() uses the machine's time zone", "give it a time zone: timezone.utc")


def _imports(modules: list[str]) -> Iterator[Wrong]:
    for module in modules:
        if module.partition(".")[0] not in SAFE_MODULES:
            yield Wrong(
                f"the function imports {module!r}", f"it may import, in its body: {', '.join(sorted(SAFE_MODULES))}"
            )

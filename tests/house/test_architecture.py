"""The house rules, read from the code's own syntax trees: directions of imports, cycles, sizes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FLOORS = {
    "errors": 0, "clock": 0, "value_types": 0, "keys": 0, "names": 0, "manifest": 0, "references": 0,
    "on_demand": 0, "extras": 0, "deployed": 0,
    "definitions": 1, "sql": 1, "offline": 1, "online": 1,
    "materialize": 2, "registry": 2, "serve": 2, "monitor": 2,
    "store": 3, "local": 3,
    "cli": 4,
}  # fmt: skip
"""A part may import parts of its own floor and of the floors below."""

LAZY_LOCAL = {"asof.store"}
"""``FeatureStore.local`` is the local cloud's front door, so it alone may open it, when called."""


def module_name(path: Path) -> str:
    """The dotted name a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "asof").rglob("*.py"))}


def is_type_checking(node: ast.stmt) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(name: str, *, lazy: bool) -> set[str]:
    """The modules of asof that a module imports at run time; with ``lazy`` also those inside functions."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt) and is_type_checking(node):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not lazy:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively; absolute names are easier to search for"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
        pending.extend(ast.iter_child_nodes(node))
    return {other for other in found if other in MODULES and other != name}


def part(name: str) -> str:
    """The part of asof a module belongs to."""
    return name.split(".")[1] if "." in name else ""


def test_every_part_has_a_floor() -> None:
    """A new part is placed on purpose."""
    assert {part(name) for name in MODULES} - {""} == set(FLOORS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    """Also those inside functions: laziness is for weight, not for direction."""
    if not part(name):
        return
    for other in imports(name, lazy=True):
        if part(other) == "local" and part(name) not in ("local", "cli"):
            assert name in LAZY_LOCAL, f"{name} imports {other}"
            assert other not in imports(name, lazy=False), f"{name} imports {other} when loaded"
        elif part(other):
            assert FLOORS[part(other)] <= FLOORS[part(name)], f"{name} imports {other}"


def test_no_import_cycles() -> None:
    """Following load-time imports never leads back."""
    graph = {name: imports(name, lazy=False) for name in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_files_and_functions_stay_small() -> None:
    """No file over 400 lines, no function over 60: what outgrows them wants to be two things."""
    long = []
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 400:
            long.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    long.append(f"{name}.{node.name}: {length} lines")
    assert not long

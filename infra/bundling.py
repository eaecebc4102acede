"""What a Lambda is made of: its handler, the modules of ``asof`` it imports, and its manifest.

The modules are found by following the imports, also those inside functions, so that a bundle holds what can run and a
change elsewhere does not redeploy the function. Nothing is installed or compiled; equal input gives equal bytes.
"""

from __future__ import annotations

import ast
import dataclasses
import shutil
from functools import cache
from pathlib import Path
from typing import Final

from asof.manifest import Manifest

ROOT: Final = Path(__file__).parents[1]
LAMBDAS: Final = ROOT / "lambdas"

NEVER: Final = ("asof.cli", "asof.definitions", "asof.local", "asof.store")
"""Parts no Lambda may need: they lead to libraries that are not in the runtime."""


def modules(handler: Path) -> list[str]:
    """The modules of asof a handler needs at run time, sorted; raises ValueError where one of NEVER is among them."""
    found: set[str] = set()
    pending = list(_imports(handler))
    while pending:
        name = pending.pop()
        path = _path(name)
        if name in found or path is None:
            continue
        if name.startswith(NEVER):
            raise ValueError(f"{handler} leads to {name}, which a Lambda must not need")
        found.add(name)
        pending.extend(name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1))
        pending.extend(_imports(path))
    return sorted(found)


def stage(name: str, folder: Path, manifest_text: str) -> None:
    """Fill an empty folder with the bundle of the Lambda ``name``: its files, the modules it needs, the manifest."""
    for file in sorted((LAMBDAS / name).iterdir()):
        if file.suffix in (".py", ".json"):
            shutil.copyfile(file, folder / file.name)
    for module in modules(LAMBDAS / name / "handler.py"):
        path = _path(module)
        if path is not None:
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (folder / "manifest.json").write_text(manifest_text, encoding="utf-8")


def without_queries(manifest: Manifest) -> Manifest:
    """The manifest as lookups need it: the SQL left out, which is most of its bytes."""
    views = tuple(dataclasses.replace(view, queries={}, sql=None) for view in manifest.feature_views)
    return dataclasses.replace(manifest, feature_views=views)


def _path(module: str) -> Path | None:
    """The file of a module of asof; None for anything else."""
    if module.partition(".")[0] != "asof":
        return None
    base = ROOT.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, and what it imports from them in case those are modules; not for types only."""
    found: list[str] = []
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))
    return tuple(dict.fromkeys(found))

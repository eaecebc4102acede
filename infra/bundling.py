"""What a Lambda is made of: its handler, the modules of ``asof`` it imports, its manifest; and a Glue job's library.

The modules are found by following the imports, also those inside functions, so that a bundle holds what can run and a
change elsewhere does not redeploy the function. Nothing is installed or compiled; equal input gives equal bytes.
"""

from __future__ import annotations

import ast
import dataclasses
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import sqlglot

from asof.manifest import Manifest

ROOT: Final = Path(__file__).parents[1]
LAMBDAS: Final = ROOT / "lambdas"
JOBS: Final = ROOT / "glue_jobs"

NEVER: Final = ("asof.cli", "asof.definitions", "asof.local", "asof.store")
"""Parts no Lambda and no job may need: they lead to libraries that are not in the runtime."""


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
            raise ValueError(f"{handler} leads to {name}, which is not there where it runs")
        found.add(name)
        pending.extend(name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1))
        pending.extend(_imports(path))
    return sorted(found)


def stage(name: str, folder: Path, manifest_text: str) -> None:
    """Fill an empty folder with the bundle of the Lambda ``name``: its files, the modules it needs, the manifest."""
    for file in sorted((LAMBDAS / name).iterdir()):
        if file.suffix in (".py", ".json"):
            shutil.copyfile(file, folder / file.name)
    _copy(modules(LAMBDAS / name / "handler.py"), folder)
    (folder / "manifest.json").write_text(manifest_text, encoding="utf-8")


def stage_job_library(folder: Path) -> None:
    """Fill an empty folder with what Glue jobs import: modules of ``glue_jobs`` and ``asof``, and sqlglot.

    Spark's text of a query is rendered where it runs. sqlglot is taken from this environment, which a lock fills; it is
    pure Python, so that it runs wherever a job does.
    """
    shared = [JOBS / "__init__.py", JOBS / "job.py"]
    for file in shared:
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    _copy(sorted({name for file in sorted(JOBS.glob("*.py")) for name in modules(file)}), folder)
    package = Path(sqlglot.__file__).parent
    for file in sorted(package.rglob("*.py")):
        target = folder / "sqlglot" / file.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _copy(names: Iterable[str], folder: Path) -> None:
    for module in names:
        path = _path(module)
        if path is not None:
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


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

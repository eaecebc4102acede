"""Bundles: exactly what a function can need, small, the same bytes each time, and able to run on their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.bundling import LAMBDAS, NEVER, modules, stage, without_queries
from tests.support.synth import definitions

NAMES = sorted(path.name for path in LAMBDAS.iterdir() if (path / "handler.py").exists())
STANDARD_LIBRARY_ONLY = {"online"}
MOST_ONLINE_BYTES = 1_000_000


def staged(name: str, folder: Path) -> Path:
    """A function's bundle, as the stacks make it."""
    manifest = without_queries(definitions()) if name == "online" else definitions()
    stage(name, folder, manifest.to_json())
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_runs_on_its_own(name: str, tmp_path: Path) -> None:
    """Its handler can be imported where nothing else of the repository is; the online one without any library."""
    folder = staged(name, tmp_path)
    site = [] if name in STANDARD_LIBRARY_ONLY else [path for path in sys.path if "site-packages" in path]
    program = f"""
import sys
sys.path[:] = [{str(folder)!r}, *(path for path in sys.path if "site-packages" not in path), *{site!r}]
before = set(sys.modules)
import handler
import json
handler.handle
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    loaded = {each for each in json.loads(done.stdout) if not each.startswith("__")}
    foreign = loaded - set(sys.stdlib_module_names) - {"asof", "handler"}
    allowed = {"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six", "certifi", "brotli"}
    assert foreign <= (set() if name in STANDARD_LIBRARY_ONLY else allowed | {"zstandard", "backports"})


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_holds_its_modules_and_nothing_else(name: str, tmp_path: Path) -> None:
    """No caches, no definitions, no command line, no local cloud."""
    folder = staged(name, tmp_path)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"handler.py", "manifest.json"} <= files
    assert all(file.endswith((".py", ".json")) for file in files)
    found = modules(LAMBDAS / name / "handler.py")
    assert not [module for module in found if module.startswith(NEVER)]
    assert not [module for module in found if module.startswith(("asof.offline.duckdb", "asof.sql.compute"))]


def test_the_online_bundle_is_small(tmp_path: Path) -> None:
    """Under 1 MB unzipped, with the manifest of all the repository's definitions."""
    size = sum(path.stat().st_size for path in staged("online", tmp_path).rglob("*") if path.is_file())
    assert size < MOST_ONLINE_BYTES, f"{size:,} bytes"


def test_staging_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        staged("step", folder)
    contents = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (one, two)
    ]
    assert contents[0] == contents[1]


def test_a_handler_that_leads_to_the_author_s_tools_is_refused(tmp_path: Path) -> None:
    """Compiling definitions needs libraries that are not in the runtime."""
    handler = tmp_path / "handler.py"
    handler.write_text("def handle(event, context):\n    from asof.definitions import compile_path\n")
    with pytest.raises(ValueError, match=r"leads to asof\.definitions"):
        modules(handler)

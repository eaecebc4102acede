"""What the online path weighs: in a clean interpreter it loads the standard library and Asof, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
sys.path[:] = [{root!r}, *(path for path in sys.path if "site-packages" not in path)]
before = set(sys.modules)
{imports}
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""

ONLINE = (
    "asof.keys",
    "asof.manifest",
    "asof.on_demand",
    "asof.online.codec",
    "asof.online.reader",
    "asof.online.writer",
    "asof.references",
    "asof.serve.lookup",
)


def loaded(program: str) -> set[str]:
    """The modules a program loads in an isolated interpreter without installed packages."""
    text = PROGRAM.format(root=str(ROOT), imports=program)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ONLINE)
def test_a_module_of_the_online_path_is_standard_library_only(module: str) -> None:
    foreign = {name for name in loaded(f"import {module}") if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if name.partition(".")[0] != "asof"} == set()
    assert module in foreign


LOOKUP = """
from asof.clock import ManualClock
from asof.manifest import Column, Entity, Feature, FeatureView, Manifest
from asof.online.reader import OnlineReader
from asof.serve.lookup import get_online_features


class Client:
    def batch_get_item(self, RequestItems):
        return {"Responses": {}}


view = FeatureView("v", 1, "e", "s", "passthrough", (Feature("f", "Int64", 5),))
manifest = Manifest(entities=(Entity("e", (Column("k", "Int64"),)),), feature_views=(view,))
manifest = Manifest.from_json(manifest.to_json())
response = get_online_features(manifest, OnlineReader(Client(), "t"), "v:f", [{"k": 1}], clock=ManualClock(0))
if response.to_rows() != [{"k": 1, "f": 5}]:
    raise SystemExit(response)
"""


def test_a_whole_lookup_loads_nothing_more() -> None:
    """From reading the manifest to the response, the client aside."""
    foreign = {name for name in loaded(LOOKUP) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in foreign} == {"asof"}
    assert not {name for name in foreign if name.startswith(("asof.sql", "asof.definitions", "asof.offline"))}

"""The public face: what users import and call. A change here is a change of the product, and is made on purpose."""

from __future__ import annotations

import ast
import inspect
import itertools
from pathlib import Path

import pytest

import asof.definitions
import asof.local
from asof import errors
from asof.cli import main
from asof.store import FeatureStore

ROOT = Path(__file__).parents[2]

DEFINITIONS = [
    "Aggregation",
    "Array",
    "BatchSource",
    "Bool",
    "Date",
    "Definitions",
    "Embedding",
    "Entity",
    "Every",
    "FeatureSelection",
    "FeatureService",
    "FeatureView",
    "Field",
    "Float64",
    "Int64",
    "OnDemandFeatureView",
    "RequestSource",
    "String",
    "Timestamp",
    "compile_definitions",
    "compile_path",
    "discover",
    "on_demand_feature_view",
]

STORE = [
    "abandon",
    "apply",
    "backfill",
    "close",
    "explain",
    "from_environment",
    "get_historical_features",
    "get_online_features",
    "local",
    "manifest",
    "materialize",
    "materialize_incremental",
    "runs",
    "views",
    "watermark",
]


def test_what_definitions_are_written_with() -> None:
    """``from asof.definitions import ...``."""
    assert sorted(asof.definitions.__all__) == sorted(DEFINITIONS)
    assert all(hasattr(asof.definitions, name) for name in DEFINITIONS)


def test_what_a_feature_store_can_do() -> None:
    """Feast's names where Feast has one."""
    assert sorted(name for name in vars(FeatureStore) if not name.startswith("_")) == sorted(STORE)


def test_the_arguments_feast_users_know() -> None:
    """They are called as they are in Feast."""
    historical = inspect.signature(FeatureStore.get_historical_features).parameters
    assert list(historical)[1:3] == ["entity_df", "features"]
    assert {"full_feature_names", "as_of", "known_as_of"} <= set(historical)
    assert list(inspect.signature(FeatureStore.get_online_features).parameters)[1:3] == ["features", "entity_rows"]
    assert list(inspect.signature(FeatureStore.materialize).parameters)[1:4] == [
        "start_date",
        "end_date",
        "feature_views",
    ]


def test_every_error_has_one_root_and_stands_in_the_tree() -> None:
    """``except AsofError`` catches all, and the picture at the top of the file shows all."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    for kind in kinds:
        assert issubclass(kind, errors.AsofError)
        assert kind.__name__.endswith("Error")
        assert kind.__name__ in str(errors.__doc__), f"{kind.__name__} is missing in the tree of asof/errors.py"


def test_commands_are_named_in_the_readme_only_if_they_exist() -> None:
    """Whatever ``asof COMMAND`` the documents show can be run."""
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            for before, after in itertools.pairwise(words):
                if before == "`asof" and after.strip("`").isidentifier():
                    assert after.strip("`") in main.commands, f"{path.name}: {line}"


MODULES = sorted((ROOT / "asof").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_has_a_docstring(path: Path) -> None:
    """Modules, classes and functions say what they are."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            missing.append(node.name)
        if isinstance(node, ast.Module | ast.ClassDef):
            missing += [
                each.name
                for each in node.body
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_") and not ast.get_docstring(each)
            ]
    assert not missing

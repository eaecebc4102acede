"""Small valid definitions, and folders of definition files, for tests."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asof.definitions import (
    Aggregation,
    BatchSource,
    Bool,
    Definitions,
    Embedding,
    Entity,
    FeatureView,
    Field,
    Float64,
    Int64,
    String,
    compile_definitions,
)
from asof.errors import DefinitionError
from asof.manifest import Manifest

HEADER = "from asof.definitions import *\n"


def airport() -> Entity:
    """An entity with one text key."""
    return Entity(name="airport", join_keys={"origin": String})


def departures(**changes: Any) -> BatchSource:
    """A source with a column of each interesting type."""
    arguments: dict[str, Any] = {
        "name": "departures",
        "table": "nyc.departures",
        "schema": {
            "origin": String,
            "dest": String,
            "dep_delay": Int64,
            "distance": Float64,
            "cancelled": Bool,
            "vector": Embedding(3),
        },
        "timestamp_field": "departed_at",
    }
    return BatchSource(**arguments | changes)


def passthrough(**changes: Any) -> FeatureView:
    """A view that passes one column through."""
    arguments: dict[str, Any] = {
        "name": "plain",
        "entity": airport(),
        "source": departures(),
        "schema": [Field(name="dep_delay", dtype=Int64)],
    }
    return FeatureView(**arguments | changes)


def aggregated(**changes: Any) -> FeatureView:
    """A view with a count and a mean over windows."""
    arguments: dict[str, Any] = {
        "name": "windows",
        "entity": airport(),
        "source": departures(),
        "aggregations": [
            Aggregation(function="count", time_windows=["1h", "24h"]),
            Aggregation(function="mean", column="dep_delay", time_window="1h"),
        ],
        "schedule": "1h",
    }
    return FeatureView(**arguments | changes)


def selected(sql: str, **changes: Any) -> FeatureView:
    """A view made by a SELECT that gives the feature ``late``."""
    arguments: dict[str, Any] = {
        "name": "chosen",
        "entity": airport(),
        "source": departures(),
        "sql": sql,
        "schema": [Field(name="late", dtype=Bool)],
    }
    return FeatureView(**arguments | changes)


def compiled(*objects: Any) -> Manifest:
    """The manifest of some definitions."""
    return compile_definitions(Definitions.of(objects))


def complaints(*objects: Any) -> list[str]:
    """What is wrong with some definitions, each problem in words without its place."""
    try:
        compile_definitions(Definitions.of(objects))
    except DefinitionError as error:
        return [problem.what for problem in error.problems]
    return []


def folder(parent: Path, files: Mapping[str, str], name: str = "feature_defs") -> Path:
    """A folder of definition files with the given texts, each after one line that imports the definitions."""
    root = parent / name
    root.mkdir()
    for file, text in files.items():
        (root / file).write_text(HEADER + textwrap.dedent(text).lstrip("\n"))
    return root

"""Synthesizing the app in tests: with the context of cdk.json, from a manifest, into a folder."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# Node's age is the machine's matter; jsii would say so on every start.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20")

from aws_cdk import App

from asof.definitions import compile_path
from asof.manifest import Manifest
from infra.app import add_delivery, add_environment
from tests.support.manifests import ENTITY, HOUR, a_source, an_aggregation_view

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "eu-central-1"
KNOWN_PLACE = {"CDK_DEFAULT_ACCOUNT": ACCOUNT, "CDK_DEFAULT_REGION": REGION}

Template = dict[str, Any]


def an_app(outdir: Path | None = None, **context: str) -> App:
    """An app with the context of cdk.json; more of it may be given."""
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(context={**settings, **context}, analytics_reporting=False, outdir=str(outdir) if outdir else None)


def templates(
    manifest: Manifest,
    context: Mapping[str, str] | None = None,
    *,
    variables: Mapping[str, str] = KNOWN_PLACE,
    outdir: Path | None = None,
) -> dict[str, Template]:
    """Every stack's template by name; accounts and regions are known unless ``variables`` is empty."""
    app = an_app(outdir, **(context or {}))
    add_environment(app, manifest, variables)
    add_delivery(app, manifest)
    return {stack.stack_name: stack.template for stack in app.synth().stacks}


@cache
def definitions() -> Manifest:
    """The repository's own definitions."""
    return compile_path(ROOT / "feature_defs")


@cache
def dev_templates() -> dict[str, Template]:
    """The development environment of the repository's own definitions, synthesized once."""
    return templates(definitions())


def many_views(count: int) -> Manifest:
    """That many views, each with a freshness, over one source."""
    views = tuple(
        dataclasses.replace(an_aggregation_view(freshness_ms=2 * HOUR), name=f"view_{i:03d}") for i in range(count)
    )
    return Manifest(entities=(ENTITY,), sources=(a_source(),), feature_views=views)


def resources(template: Template, kind: str) -> dict[str, Any]:
    """The resources of a type, by logical id."""
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}

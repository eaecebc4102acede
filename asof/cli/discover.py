"""Commands for those who look for features: describe, search, lineage; in the definitions or in what is deployed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from asof.cli.output import json_option, path_option, show
from asof.definitions import compile_path
from asof.manifest import Manifest
from asof.registry.describe import describe
from asof.registry.find import find_view, find_view_or_service
from asof.registry.lineage import draw, lineage
from asof.registry.publish import read_manifest
from asof.registry.search import search
from asof.store import find_environment, session_in_force

_F = TypeVar("_F", bound=Callable[..., Any])


def _either(command: _F) -> _F:
    """Options that say which manifest to look at."""
    env = click.option("--env", "environment", default=None, help="Look at what is in force there instead of --path.")
    return path_option(env(command))


def _manifest(path: Path, environment: str | None) -> Manifest:
    if environment is None:
        return compile_path(path)
    session = session_in_force()
    where = find_environment(environment, session)
    return read_manifest(session.client("s3", region_name=where.region), where)


@click.command("describe")
@click.argument("view")
@_either
@json_option
def describe_command(view: str, path: Path, environment: str | None, as_json: bool) -> None:
    """Print all there is to know about VIEW (`name` or `name@v2`): where it comes from, its features, who reads it."""
    manifest = _manifest(path, environment)
    facts = describe(manifest, find_view(manifest, view))
    if as_json:
        click.echo(json.dumps(facts, indent=2, default=str))
        return
    features = facts.pop("features")
    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in (None, [], {}):
            click.echo(f"{name:{width}}  {_text(value, width + 2)}")
    click.echo()
    show(features, as_json=False)


def _text(value: Any, indent: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={each}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).rstrip().replace("\n", "\n" + " " * indent)


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@_either
@json_option
def search_command(words: tuple[str, ...], path: Path, environment: str | None, as_json: bool) -> None:
    """Find what is defined by its name, description, owner, tags, features or columns: every one of WORDS occurs in it.

    Exit code 0 also where nothing is found.
    """
    hits = search(_manifest(path, environment), " ".join(words))
    rows = [
        {
            "what": hit.kind,
            "reference": hit.reference,
            "found in": hit.matched if as_json else ", ".join(hit.matched),
            "owner": hit.owner or None,
            "description": hit.description or None,
        }
        for hit in hits
    ]
    show(rows, as_json, empty=f"nothing has all of {', '.join(map(repr, words))} in it")


@click.command("lineage")
@click.argument("name")
@_either
@json_option
def lineage_command(name: str, path: Path, environment: str | None, as_json: bool) -> None:
    """Draw where a view or feature service comes from and who reads it: source, views, on-demand views, services.

    Each line names the features that are read of the one above it.
    """
    manifest = _manifest(path, environment)
    trees = lineage(manifest, find_view_or_service(manifest, name))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(tree) for tree in trees], indent=2))
    else:
        click.echo(draw(trees))

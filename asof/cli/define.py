"""Commands for those who write definitions: validate, compile, sql. None of them needs AWS."""

from __future__ import annotations

from pathlib import Path

import click

from asof.cli.output import json_option, path_option, show
from asof.definitions import compile_path
from asof.errors import DefinitionError, UnknownFeatureError
from asof.manifest import Manifest
from asof.references import find_feature_view


@click.command("validate")
@path_option
@json_option
def validate_command(path: Path, as_json: bool) -> None:
    """Check the definitions and report every problem at once, with file and line.

    Exit code 0 if they compile, 1 if not. With --json the problems are a list of {file, line, what, fix}.
    """
    try:
        manifest = compile_path(path)
    except DefinitionError as error:
        if not as_json:
            raise
        show([{"file": p.file, "line": p.line, "what": p.what, "fix": p.fix} for p in error.problems], as_json=True)
        raise SystemExit(1) from None
    if as_json:
        show([], as_json=True)
    else:
        click.echo(f"{path}: {summary(manifest)}; no problems")


def summary(manifest: Manifest) -> str:
    """How much a manifest defines, in words."""
    counts = (
        (len(manifest.entities), "entity", "entities"),
        (len(manifest.sources), "source", "sources"),
        (len(manifest.feature_views), "feature view", "feature views"),
        (len(manifest.on_demand_feature_views), "on-demand view", "on-demand views"),
        (len(manifest.feature_services), "feature service", "feature services"),
        (sum(len(view.features) for view in manifest.views()), "feature", "features"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)


@click.command("compile")
@path_option
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default stdout.")
def compile_command(path: Path, output: Path | None) -> None:
    """Compile the definitions to the manifest: canonical JSON, the same bytes for the same meaning."""
    text = compile_path(path).to_json()
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output}: {len(text.encode()):,} bytes")


@click.command("sql")
@click.argument("view")
@click.option("--query", default="compute", show_default=True, help="Which question: compute, check, latest, ...")
@click.option(
    "--dialect",
    default="athena",
    show_default=True,
    type=click.Choice(["athena", "duckdb"]),
    help="Whose SQL to print.",
)
@path_option
def sql_command(view: str, query: str, dialect: str, path: Path) -> None:
    """Print the SQL that a run of VIEW (`name` or `name@v2`) executes; `:name` stands for a parameter.

    \b
    Example: asof sql airport_departures --query compute
    """
    from asof.sql.dialects import render
    from asof.sql.queries import expressions

    manifest = compile_path(path)
    found = find_feature_view(manifest, view)
    questions = expressions(found, manifest.entity(found.entity), manifest.source(found.source))
    if query not in questions:
        raise UnknownFeatureError(query, list(questions), "query")
    click.echo(render(questions[query], dialect))

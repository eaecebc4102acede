"""Commands about what is defined and what is deployed: views, apply, status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import click

from asof.cli.define import summary
from asof.cli.output import env_option, json_option, path_option, show
from asof.clock import duration_text, iso
from asof.definitions import compile_path
from asof.manifest import FeatureView
from asof.materialize.services import Services
from asof.store import FeatureStore, find_environment


@click.command("views")
@path_option
@json_option
def views_command(path: Path, as_json: bool) -> None:
    """List the defined views: what they describe, how often, how many features, who owns them."""
    manifest = compile_path(path)
    rows = [
        {
            "view": view.reference,
            "kind": view.kind if isinstance(view, FeatureView) else "on demand",
            "entity": view.entity if isinstance(view, FeatureView) else None,
            "every": duration_text(view.step_ms) if isinstance(view, FeatureView) else None,
            "features": len(view.features),
            "owner": view.owner or None,
            "description": view.description or None,
        }
        for view in manifest.views()
    ]
    show(rows, as_json)


@click.command("apply")
@path_option
@env_option
def apply_command(path: Path, environment: str) -> None:
    """Publish the definitions to an environment and create the tables of new views.

    Refused, with nothing changed, where a published version would change its meaning: give the change a new version.
    """
    manifest = compile_path(path)
    session = boto3.Session()
    where = find_environment(environment, session)
    new = FeatureStore(Services.connect(where, manifest, session)).apply()
    click.echo(f"{environment}: {summary(manifest)}; {len(new)} new version{'s' if len(new) != 1 else ''}")
    for reference in new:
        click.echo(f"  + {reference}")


@click.command("status")
@env_option
@json_option
def status_command(environment: str, as_json: bool) -> None:
    """Show per view how far it is published, how old its data is against its freshness, and its last run."""
    with FeatureStore.from_environment(environment) as store:
        show([_status(store, view) for view in store.manifest.feature_views], as_json)


def _status(store: FeatureStore, view: FeatureView) -> dict[str, Any]:
    watermark = store.watermark(view.reference)
    runs = store.runs(view.reference)
    age_ms = store.services.clock.now_ms() - watermark.through_ms if watermark else None
    late = view.freshness_ms is not None and (age_ms is None or age_ms > view.freshness_ms)
    return {
        "view": view.reference,
        "first": iso(watermark.first_ms) if watermark else None,
        "through": iso(watermark.through_ms) if watermark else None,
        "age": duration_text(age_ms // 1000 * 1000) if age_ms is not None else None,
        "freshness": duration_text(view.freshness_ms) if view.freshness_ms is not None else None,
        "state": "stale" if late else "fresh" if view.freshness_ms is not None else None,
        "last run": f"{runs[-1].run.run_id} {runs[-1].state}" if runs else None,
        "error": runs[-1].error.splitlines()[0] if runs and runs[-1].error else None,
    }

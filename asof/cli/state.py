"""Commands about what is defined and what is deployed: views, apply, status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from asof.cli.clock import clock_in_force
from asof.cli.define import summary
from asof.cli.output import env_option, json_option, path_option, show
from asof.clock import duration_text, iso
from asof.definitions import compile_path
from asof.manifest import FeatureView
from asof.materialize.lifecycle import reader_of
from asof.materialize.services import Services
from asof.monitor.status import count_items, view_status
from asof.registry.retired import retired_versions
from asof.store import FeatureStore, find_environment, session_in_force


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
    session = session_in_force()
    where = find_environment(environment, session)
    new = FeatureStore(Services.connect(where, manifest, session, clock_in_force())).apply()
    click.echo(f"{environment}: {summary(manifest)}; {len(new)} new version{'s' if len(new) != 1 else ''}")
    for reference in new:
        click.echo(f"  + {reference}")


@click.command("status")
@click.option("--count", is_flag=True, help="Count online rows: one scan of the online table, paid by its bytes.")
@env_option
@json_option
def status_command(count: bool, environment: str, as_json: bool) -> None:
    """Show per view how far it is published, how old its data is against its freshness, its last run and its next.

    The age is that of the newest data, so it grows where runs fail and also where a source falls silent. The next run
    is when a grid time becomes due; an instant in the past says that a run is overdue.
    """
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        services = store.services
        retired = retired_versions(services.s3, services.environment.registry_bucket)
        rows = [_status(store, view, view.reference in retired) for view in store.manifest.feature_views]
        if count:
            found = count_items(services.dynamodb, services.environment.online_table)
            rows = [{**row, "online rows": found[row["view"]]} for row in rows]
        show(rows, as_json)


def _status(store: FeatureStore, view: FeatureView, retired: bool) -> dict[str, Any]:
    ledger = reader_of(store.services)
    watermark, last = ledger.watermark(view.reference), ledger.last_run(view.reference)
    status = view_status(view, watermark, store.services.clock.now_ms(), retired=retired)
    return {
        "view": view.reference,
        "state": status.state,
        "first": iso(watermark.first_ms) if watermark else None,
        "through": iso(watermark.through_ms) if watermark else None,
        "age": duration_text(status.age_ms // 1000 * 1000) if status.age_ms is not None else None,
        "freshness": duration_text(view.freshness_ms) if view.freshness_ms is not None else None,
        "last run": f"{last.run.run_id} {last.state}" if last else None,
        "items written": last.written if last else None,
        "next run": iso(status.due_ms) if status.due_ms is not None else None,
        "error": last.error.splitlines()[0] if last and last.error else None,
    }

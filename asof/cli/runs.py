"""Commands that move data: materialize, backfill, explain, and what became of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from asof.cli.clock import clock_in_force
from asof.cli.output import Instant, env_option, json_option, progress, show
from asof.clock import duration_text, from_ms, iso
from asof.materialize.ledger import RunRecord
from asof.store import FeatureStore

_START = click.option(
    "--start", type=Instant(), required=True, help="First instant, inclusive: 2026-01-31[T12:00:00Z]."
)
_END = click.option("--end", type=Instant(), default=None, help="Last instant, exclusive; default now.")
_VIEWS = click.argument("views", nargs=-1)


def _row(record: RunRecord) -> dict[str, Any]:
    ended_ms = record.ended_ms
    return {
        "view": f"{record.run.view}@v{record.run.version}",
        "run": record.run.run_id,
        "kind": record.run.kind,
        "state": record.state,
        "from": iso(record.run.from_ms),
        "to": iso(record.run.to_ms),
        "rows": record.rows,
        "items": record.written,
        "quarantined": record.quarantined,
        "too late": record.too_late,
        "scanned bytes": record.scanned_bytes,
        "took": duration_text(ended_ms - record.started_ms) if ended_ms is not None else None,
        "error": record.error.splitlines()[0] if record.error else None,
    }


def _report(records: Sequence[RunRecord], as_json: bool) -> None:
    show([_row(record) for record in records], as_json, empty="up to date, nothing to do")


def _end(store: FeatureStore, end: datetime | None) -> datetime:
    return end or from_ms(store.services.clock.now_ms())


@click.command("materialize-incremental")
@_VIEWS
@click.option("--end", type=Instant(), default=None, help="Go no further than this instant; default now.")
@env_option
@json_option
def materialize_incremental_command(
    views: tuple[str, ...], end: datetime | None, environment: str, as_json: bool
) -> None:
    """Bring VIEWS (default all) from where they are published to now. Safe to repeat, safe to kill."""
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store, progress("materialize") as report:
        records = store.materialize_incremental(end, list(views) or None, progress=report)
    _report(records, as_json)


@click.command("materialize")
@_VIEWS
@_START
@_END
@env_option
@json_option
def materialize_command(
    views: tuple[str, ...], start: datetime, end: datetime | None, environment: str, as_json: bool
) -> None:
    """Materialize an interval [START, END) of VIEWS (default all). What is there already is left alone."""
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store, progress("materialize") as report:
        records = store.materialize(start, _end(store, end), list(views) or None, progress=report)
    _report(records, as_json)


@click.command("backfill")
@click.argument("views", nargs=-1, required=True)
@_START
@_END
@click.option("--chunk", default=None, help="Length of one chunk, for example 7d; default 31d, at most 90d.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 20), help="Chunks side by side.")
@click.option("--dry-run", is_flag=True, help="Print the stages that would run, and stop.")
@env_option
@json_option
def backfill_command(
    *,
    views: tuple[str, ...],
    start: datetime,
    end: datetime | None,
    chunk: str | None,
    workers: int,
    dry_run: bool,
    environment: str,
    as_json: bool,
) -> None:
    """Compute the history of VIEWS over [START, END) in chunks; repeat it after a kill and it goes on."""
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        if dry_run:
            for view in views:
                click.echo(store.explain(view, start, _end(store, end), chunk=chunk))
            return
        with progress("backfill") as report:
            records = store.backfill(views, start, _end(store, end), chunk=chunk, workers=workers, progress=report)
    _report(records, as_json)


@click.command("explain")
@click.argument("view")
@click.option(
    "--start", type=Instant(), default=None, help="Explain a backfill from here; default: an incremental run."
)
@_END
@env_option
def explain_command(view: str, start: datetime | None, end: datetime | None, environment: str) -> None:
    """Print the stages a run of VIEW would execute, without executing them.

    Open runs, which any next run finishes, are shown first; ``[x]`` marks what of them is over.
    """
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        click.echo(store.explain(view, start, end if start is None else _end(store, end)))


@click.command("runs")
@click.argument("view")
@env_option
@json_option
def runs_command(view: str, environment: str, as_json: bool) -> None:
    """List the runs of VIEW, oldest first: what they did, what they scanned, what stopped them."""
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        show([_row(record) for record in store.runs(view)], as_json, empty=f"{view} has no runs")


@click.command("abandon")
@click.argument("view")
@click.argument("run")
@env_option
def abandon_command(view: str, run: str, environment: str) -> None:
    """Give up an open RUN of VIEW; what it committed is loaded, so that history and lookups agree."""
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        record = store.abandon(view, run)
    click.echo(f"{run} is {record.state}: {record.rows:,} rows stay in the history, {record.written:,} items loaded")

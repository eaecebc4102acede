"""The command that says what a deployment would do: plan."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from asof.cli.changes import change_lines
from asof.cli.clock import clock_in_force
from asof.cli.output import EXIT_CHANGES, EXIT_FAILED, Instant, json_option, path_option
from asof.clock import duration_ms, to_ms
from asof.definitions import compile_path
from asof.errors import RequestError
from asof.manifest import Manifest
from asof.materialize.plan import CHUNK_MS
from asof.materialize.services import Services
from asof.registry.bucket import exists
from asof.registry.diff import Diff, diff
from asof.registry.estimate import Estimate
from asof.registry.plan import Backfill, Interval, Memory, backfills, problems, remembered
from asof.registry.publish import manifest_fingerprint, published_manifest
from asof.store import find_environment, session_in_force


@dataclass(frozen=True, slots=True)
class _Deployed:
    """The side to compare with: what is in force, and where it is if it is in AWS."""

    name: str
    manifest: Manifest | None
    services: Services | None


@click.command("plan")
@path_option
@click.option("--env", "environment", envvar="ASOF_ENV", help="Environment to compare with (or set ASOF_ENV).")
@click.option(
    "--manifest",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare with this compiled manifest instead; AWS is not asked for anything.",
)
@click.option("--start", type=Instant(), help="Backfill new views from here; default: as far as lookups can see.")
@click.option("--end", type=Instant(), help="Backfill new views to here, exclusive; default now.")
@click.option("--chunk", default=None, help="Length of one chunk of the backfill, for example 7d; default 31d.")
@click.option("--no-estimate", is_flag=True, help="Do not list the sources of new views to estimate rows and cost.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 where there are changes, 0 only where there are none.")
@json_option
def plan_command(
    *,
    path: Path,
    environment: str | None,
    file: Path | None,
    start: datetime | None,
    end: datetime | None,
    chunk: str | None,
    no_estimate: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show what deploying the definitions would change: nothing is written, anywhere.

    Added, reworded and removed versions, services that would read other features, and changed meanings, which are
    refused. For each new view the stages its first run executes, with an estimate of rows, bytes and dollars.

    \b
    Exit codes: 0 it can be deployed; 1 it would be refused, or the plan failed; with --exit-code also
    4 it can be deployed and changes something (0 then means: no change).
    Examples:
      asof plan --env dev --start 2026-01-01
      asof plan --manifest deployed.json --exit-code       in CI, without AWS
    """
    new = compile_path(path)
    deployed = _deployed(environment, file, new)
    found = diff(deployed.manifest, new)
    memory = Memory()
    if deployed.services is not None:
        memory = remembered(deployed.services.s3, deployed.services.environment, new, found)
    wrong = [*problems(found), *memory.problems]
    added = {each.reference for each in found.added}
    interval = Interval(
        None if start is None else to_ms(start),
        None if end is None else to_ms(end),
        CHUNK_MS if chunk is None else duration_ms(chunk, "chunk"),
    )
    implied = backfills(
        new,
        [view for view in new.feature_views if view.reference in added and not view.deprecated],
        interval,
        clock_in_force().now_ms(),
        services=deployed.services,
        again=memory.again,
        estimates=not no_estimate,
    )
    if as_json:
        click.echo(json.dumps(_facts(deployed, new, found, wrong, implied), indent=2, default=str))
    else:
        click.echo("\n".join(_page(deployed, found, wrong, implied, memory)))
    if wrong:
        raise SystemExit(EXIT_FAILED)
    if exit_code and not found.empty:
        raise SystemExit(EXIT_CHANGES)


def _deployed(environment: str | None, file: Path | None, new: Manifest) -> _Deployed:
    if file is not None:
        return _Deployed(str(file), Manifest.from_json(file.read_text(encoding="utf-8")), None)
    if environment is None:
        raise RequestError("nothing to compare with: give --env, or --manifest with a compiled manifest")
    session = session_in_force()
    services = Services.connect(find_environment(environment, session), new, session)
    if not exists(services.s3, services.environment.registry_bucket):
        click.echo(f"{services.environment.registry_bucket} does not exist: {environment} is not deployed", err=True)
        return _Deployed(environment, None, None)
    return _Deployed(environment, published_manifest(services.s3, services.environment), services)


def _facts(
    deployed: _Deployed, new: Manifest, found: Diff, wrong: list[str], implied: list[Backfill]
) -> dict[str, Any]:
    return {
        "compared with": deployed.name,
        "deployed": None if deployed.manifest is None else manifest_fingerprint(deployed.manifest),
        "definitions": manifest_fingerprint(new),
        "verdict": "refused" if wrong else "unchanged" if found.empty else "changes",
        "problems": wrong,
        **dataclasses.asdict(found),
        "backfills": [dataclasses.asdict(each) for each in implied],
    }


def _page(deployed: _Deployed, found: Diff, wrong: list[str], implied: list[Backfill], memory: Memory) -> list[str]:
    if found.empty and not wrong:
        return [f"{deployed.name}: no changes; the definitions are what is in force"]
    lines = [*change_lines(found, memory.again), ""]
    for each in implied:
        lines += [*_backfill_lines(each), ""]
    if wrong:
        return [*lines, click.style("This would be refused:", fg="red", bold=True), *(f"  {each}" for each in wrong)]
    return [*lines, f"{deployed.name}: {_counts(found)}"]


def _backfill_lines(each: Backfill) -> list[str]:
    lines = each.stages.splitlines() if each.stages else [f"{each.view}: no first run is planned"]
    if each.note:
        lines.append(f"  {each.note}")
    return [*lines, *_cost_lines(each.estimate)] if each.estimate else lines


def _cost_lines(cost: Estimate) -> list[str]:
    rows = "an unknown number of" if cost.rows is None else f"at most {cost.rows:,}"
    items = "an unknown number of" if cost.writes is None else f"at most {cost.writes:,}"
    writes = "an unknown price" if cost.dynamodb_dollars is None else f"${cost.dynamodb_dollars:,.4f}"
    return [
        f"  estimate: source {cost.source} has {cost.source_objects:,} objects, {cost.source_bytes:,} bytes",
        f"  estimate: {cost.queries:,} queries scan {cost.scanned_bytes:,} bytes for ${cost.athena_dollars:,.4f}",
        f"  estimate: {rows} rows of history; {items} items written for {writes}",
        *(f"    assuming {assumption}" for assumption in cost.assumptions),
    ]


def _counts(found: Diff) -> str:
    parts = (
        (len(found.added), "to add"),
        (len(found.reworded), "to reword"),
        (len(found.removed), "to remove"),
        (len(found.repinned), "services to read other features"),
        (len(found.rerendered), "with newly rendered SQL"),
    )
    return ", ".join(f"{count} {what}" for count, what in parts if count)

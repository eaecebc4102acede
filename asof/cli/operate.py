"""Commands that operate an environment: retire a version, roll the definitions back."""

from __future__ import annotations

from typing import Any, Final

import click

from asof.cli.changes import change_lines, summary
from asof.cli.clock import clock_in_force
from asof.cli.output import env_option, json_option, progress, show
from asof.clock import iso
from asof.materialize.services import Services
from asof.names import history_table
from asof.registry.publish import read_manifest
from asof.registry.retire import check_retirable, retire
from asof.registry.rollback import Entry, prepare_rollback, publication_history
from asof.store import FeatureStore, find_environment, session_in_force

_SHORT: Final = 12
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def _connect(environment: str) -> Services:
    """The services of a deployed environment, with the manifest in force."""
    session = session_in_force()
    where = find_environment(environment, session)
    s3 = session.client("s3", region_name=where.region)
    return Services.connect(where, read_manifest(s3, where), session, clock_in_force())


@click.command("retire")
@click.argument("version", metavar="VIEW@vN")
@click.option("--drop-history", is_flag=True, help="Also deregister its Glue tables. This cannot be undone.")
@_YES
@env_option
def retire_command(version: str, drop_history: bool, yes: bool, environment: str) -> None:
    """Take VIEW@vN out of service: its online items and watermark are deleted, its name stays taken for ever.

    Refused while a feature service or on-demand view in force reads it, and while it is neither deprecated nor removed
    from the deployed definitions. Safe to kill and to repeat: it goes on where it stopped. Afterwards nothing
    materializes the version again.

    The history stays. --drop-history deregisters its Glue tables; the objects in S3 stay even then, and go by the
    bucket's own lifecycle rules (asof sets none for history/). Which of them were committed is known to the tables
    alone, so there is no way back.

    \b
    Example: asof retire airport_departures@v1 --env prod
    """
    services = _connect(environment)
    has_items = check_retirable(services, version, drop_history=drop_history)
    if not yes:
        where = services.environment.online_table
        what = f"delete its items from {where} (this scans the whole table)" if has_items else "mark it as retired"
        tables = ", deregister its tables" if drop_history else ""
        click.confirm(f"Take {version} out of service in {environment} for good: {what}{tables}?", abort=True)
    with progress(f"retire {version}") as report:
        done = retire(services, version, drop_history=drop_history, progress=report)
    click.echo(f"{version} is retired in {environment}: {done.deleted:,} items deleted; its name stays taken")
    for table in done.dropped:
        click.echo(f"  {services.environment.database}.{table} is deregistered")
    if has_items:
        name, _, number = version.rpartition("@v")
        prefix = f"history/{history_table(name, int(number))}/"
        kept = "stay until a lifecycle rule of yours, or you, delete them" if drop_history else "stay, with their table"
        click.echo(f"  the objects under s3://{services.environment.offline_bucket}/{prefix} {kept}")


@click.command("rollback")
@click.option("--to", "wanted", default=None, help="Fingerprint, or its beginning; default: what was in force before.")
@click.option("--list", "listing", is_flag=True, help="List the published manifests and stop.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many to list, newest last.")
@_YES
@env_option
@json_option
def rollback_command(
    *, wanted: str | None, listing: bool, limit: int, yes: bool, environment: str, as_json: bool
) -> None:
    """Put an earlier published manifest back in force, after showing what that changes.

    Versions are never lost: what a rollback takes out of force can be published again. Refused where the earlier
    manifest needs a version that was retired since.

    Deployed functions carry their manifest in their bundle, so they go back only when they are redeployed from the
    earlier definitions.

    \b
    Examples:
      asof rollback --list --env dev
      asof rollback --to 1f2e3d4c --env dev
    """
    session = session_in_force()
    where = find_environment(environment, session)
    s3 = session.client("s3", region_name=where.region)
    if listing:
        entries = publication_history(s3, where, limit)
        show([_entry(each, as_json) for each in entries], as_json, empty=f"{environment} records no publications")
        return
    planned = prepare_rollback(s3, where, wanted)
    fingerprint, published = planned.publication.fingerprint, iso(planned.publication.published_ms)
    click.echo(f"Back to {fingerprint[:_SHORT]}, published {published}:", err=as_json)
    for line in change_lines(planned.changes):
        click.echo(f"  {line}", err=as_json)
    if not yes:
        click.confirm(f"Put it in force in {environment}?", abort=True, err=as_json)
    FeatureStore(Services.connect(where, planned.manifest, session, clock_in_force())).apply()
    if as_json:
        show([{"fingerprint": fingerprint, "published": published}], as_json=True)
        return
    click.echo(f"{environment}: manifest {fingerprint[:_SHORT]} is in force in the registry.")
    click.echo("Functions, schedules and alarms carry the manifest they were deployed with. To take them back as well,")
    click.echo(f"check out the definitions of that time and run: npx cdk deploy --all -c env={environment}")


def _entry(each: Entry, whole: bool) -> dict[str, Any]:
    fingerprint = each.publication.fingerprint
    return {
        "published": iso(each.publication.published_ms),
        "fingerprint": fingerprint if whole else fingerprint[:_SHORT],
        "in force": each.in_force,
        "changes": summary(each.changes),
    }

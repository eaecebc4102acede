"""The command that rewrites a view's history into fewer, larger files."""

from __future__ import annotations

from datetime import datetime

import click

from asof.cli.clock import clock_in_force
from asof.cli.output import env_option, json_option, show
from asof.materialize.compact import Compactor
from asof.store import FeatureStore

_DATE = click.DateTime(["%Y-%m-%d"])


def _text(date: datetime | None) -> str:
    return date.date().isoformat() if date else ""


@click.command("compact")
@click.argument("view")
@click.option("--first", type=_DATE, default=None, help="First event date, inclusive; default the earliest.")
@click.option("--last", type=_DATE, default=None, help="Last event date, inclusive; default yesterday.")
@env_option
@json_option
def compact_command(view: str, first: datetime | None, last: datetime | None, environment: str, as_json: bool) -> None:
    """Make one partition of each event date of VIEW that has several: training sets then read fewer, larger files.

    No answer changes, runs go on meanwhile, and it may be killed and repeated. Replaced files, and those of failed
    attempts, are deleted by the first compaction a day later. For a history too big for Athena there is the Glue job
    asof-ENV-compact.
    """
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        made = Compactor(store.services, store.views([view])[0]).execute(_text(first), _text(last))
    rows = [
        {
            "attempt": each.attempt,
            "from": min(each.before),
            "to": max(each.before),
            "partitions before": each.partitions,
            "partitions after": len(each.after),
            "rows": each.rows,
            "scanned bytes": each.scanned_bytes,
        }
        for each in made
    ]
    show(rows, as_json, empty="every event date is one partition already, nothing to do")

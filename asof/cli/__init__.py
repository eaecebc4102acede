"""The ``asof`` command: prints, decides nothing."""

from __future__ import annotations

import click

from asof import __version__
from asof.cli.compact import compact_command
from asof.cli.define import compile_command, sql_command, validate_command
from asof.cli.discover import describe_command, lineage_command, search_command
from asof.cli.local import local_group
from asof.cli.operate import retire_command, rollback_command
from asof.cli.output import AsofGroup
from asof.cli.plan import plan_command
from asof.cli.read import get_historical_features_command, get_online_features_command
from asof.cli.runs import (
    abandon_command,
    backfill_command,
    explain_command,
    materialize_command,
    materialize_incremental_command,
    runs_command,
)
from asof.cli.state import apply_command, status_command, views_command


@click.group(cls=AsofGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="asof")
def main() -> None:
    """Asof, a serverless feature store for AWS: what a model is trained on is what it would have been served.

    \b
    A first walk:
      asof validate                      check feature_defs/, all problems at once
      asof views                         what is defined
      asof sql airport_departures        the SQL that computes a view
      asof plan --env dev                what deploying them would change, compute and cost
      asof apply --env dev               publish the definitions, create their tables
      asof backfill VIEW --start 2026-01-01 --env dev
      asof status --env dev              how fresh is everything?

    \b
    Exit codes: 0 done; 1 refused or failed; 2 the call itself is wrong; 3 another run is at work, try again later;
    4 there are changes (plan --exit-code only).
    """


for _command in (
    validate_command,
    compile_command,
    sql_command,
    views_command,
    describe_command,
    search_command,
    lineage_command,
    plan_command,
    apply_command,
    status_command,
    materialize_command,
    materialize_incremental_command,
    backfill_command,
    explain_command,
    runs_command,
    abandon_command,
    compact_command,
    retire_command,
    rollback_command,
    get_historical_features_command,
    get_online_features_command,
    local_group,
):
    main.add_command(_command)

"""Commands about the local cloud: up, status, env, advance, down."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from asof.cli.output import Instant, json_option, show
from asof.clock import to_ms
from asof.errors import LocalCloudError
from asof.local.server import background

_ACCOUNT = "123456789012"
_REGION = "eu-central-1"

port_option = click.option("--port", type=int, default=background.DEFAULT_PORT, show_default=True, help="Its port.")


@click.group("local")
def local_group() -> None:
    """A cloud on this machine: AWS's own APIs on one port, for the CDK, the aws command, boto3 and the store itself.

    \b
      asof local up
      eval "$(asof local env)"           lead clients to it
      npx cdk bootstrap && npx cdk deploy --all -c env=dev
      asof local advance 1h              skip time: schedules fire, alarms evaluate
      asof local down
    """


@local_group.command("up")
@port_option
@click.option("--region", default=_REGION, show_default=True, envvar="AWS_REGION", help="Region it stands for.")
@click.option("--account", default=_ACCOUNT, show_default=True, help="Account it stands for.")
@click.option("--now", type=Instant(), default=None, help="When its time begins, if not now: 2026-01-31T12:00:00Z.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to keep everything in when it ends, and to go on from. Default: it is forgotten.",
)
def up_command(port: int, region: str, account: str, now: datetime | None, state_dir: Path | None) -> None:
    """Start a local cloud in the background and wait until it answers.

    With --state-dir it goes on where the last one ended that was given the same folder, on the same --port. Its clock
    stands still meanwhile, unless it was never set or moved. What is kept is written by 'asof local down' (or SIGTERM);
    only the same versions of asof, moto and Python can read it, and it is to be trusted as code is.
    """
    now_ms = None if now is None else to_ms(now, "--now")
    running = background.up(port, account=account, region=region, now_ms=now_ms, state_dir=state_dir)
    click.echo(f"{running.endpoint} stands for account {account} in {region} (log: {running.log})")
    if stacks := running.status["stacks"]:
        click.echo(f"it is {running.status['now']} there, and these stacks go on: {', '.join(stacks)}")
    click.echo(f'lead clients to it with: eval "$(asof local env{_port(port)})"')


@local_group.command("status")
@port_option
@json_option
def status_command(port: int, as_json: bool) -> None:
    """Show what runs, what time it is there, and which stacks are deployed.

    Exit code 1 where no local cloud answers; the message says whether the port is free, or who has it.
    """
    running = _running(port)
    stacks: dict[str, str] = running.status.pop("stacks")
    pid = str(running.status["pid"])  # not a number to be read with commas
    show([{**running.status, "pid": pid, "log": str(running.log)}], as_json=as_json)
    if not as_json:
        rows: list[dict[str, Any]] = [{"stack": name, "status": status} for name, status in stacks.items()]
        show(rows, as_json=False, empty="no stacks")


@local_group.command("env")
@port_option
def env_command(port: int) -> None:
    """Print the shell's lines that lead AWS's clients to the local cloud."""
    from asof.local.server.local_server import client_environment

    status = _running(port).status
    variables = client_environment(str(status["endpoint"]), str(status["region"]))
    variables |= {"CDK_DEFAULT_ACCOUNT": str(status["account"]), "CDK_DEFAULT_REGION": str(status["region"])}
    for name, value in variables.items():
        click.echo(f"export {name}={value}")
    if "AWS_PROFILE" in os.environ:
        # A profile would take precedence over the made-up credentials.
        click.echo("unset AWS_PROFILE")


@local_group.command("advance")
@click.argument("duration")
@port_option
@click.option("--patience", type=float, default=120.0, show_default=True, help="Seconds to wait for what starts.")
def advance_command(duration: str, port: int, patience: float) -> None:
    """Move the local cloud's clock by DURATION (90m, 1h30m, 7d). What is due on the way happens, in order."""
    answer = background.advance(port, duration, patience)
    click.echo(f"it is {answer['now']} now")
    if not answer["settled"]:
        raise LocalCloudError(f"something that started on the way was still at work after {patience:g} s")


@local_group.command("down")
@port_option
def down_command(port: int) -> None:
    """End the local cloud that ``up`` started. What is in it is kept in its --state-dir, and forgotten without one."""
    running = background.find(port)
    if not background.down(port):
        click.echo(f"nothing runs on port {port}")
        return
    kept = running.state_file if running else None
    click.echo("ended" if kept is None else f"ended; its state is in {kept}")


def _running(port: int) -> background.Running:
    found = background.look(port)
    if found is None:
        raise LocalCloudError(f"nothing listens on port {port}; start a local cloud with: asof local up{_port(port)}")
    if isinstance(found, background.Stranger):
        raise LocalCloudError(f"no local cloud answers on port {port}: {found.why}")
    return found


def _port(port: int) -> str:
    return "" if port == background.DEFAULT_PORT else f" --port {port}"

"""What all commands share: options, tables, JSON, progress, and how errors reach people and scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from asof.cli.aws_errors import AWS_ERRORS, explained
from asof.errors import AsofError, LeaseHeldError, RequestError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_BUSY: Final = 3
EXIT_CHANGES: Final = 4

_F = TypeVar("_F", bound=Callable[..., Any])

path_option = click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("feature_defs"),
    show_default=True,
    help="Folder of the definitions.",
)
env_option = click.option(
    "--env", "environment", envvar="ASOF_ENV", required=True, help="Environment to work on (or set ASOF_ENV)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts instead of a table.")


class AsofGroup(click.Group):
    """A command group that turns Asof's errors into a message on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of Asof and of AWS end the process without a traceback."""
        try:
            return super().invoke(ctx)
        except AsofError as error:
            _tell(str(error), error)
            ctx.exit(exit_code(error))
        except AWS_ERRORS as error:
            _tell(explained(error), error)
            ctx.exit(EXIT_FAILED)


def _tell(message: str, error: Exception) -> None:
    notes = getattr(error, "__notes__", [])
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        "\n".join([f"[bold red]error:[/] {_plain(message)}", *map(_plain, notes)])
    )


def exit_code(error: AsofError) -> int:
    """The exit code scripts may rely on."""
    if isinstance(error, LeaseHeldError):
        return EXIT_BUSY
    return EXIT_USAGE if isinstance(error, RequestError) else EXIT_FAILED


def _plain(text: str) -> str:
    """Text in which rich sees no markup."""
    return text.replace("[", r"\[")


class Instant(click.ParamType[datetime]):
    """An instant: ISO 8601; without a time zone it is UTC, because what is typed at a prompt has no other zone."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse, for example ``2026-01-31`` or ``2026-01-31T12:00:00Z``."""
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant; write 2026-01-31 or 2026-01-31T12:00:00Z", param, ctx)
        return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


def show(rows: Sequence[dict[str, Any]], as_json: bool, title: str = "", empty: str = "nothing to show") -> None:
    """Print rows as a table, or as a JSON list. Numbers are right-aligned; None is shown as ``-``."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    if not rows:
        click.echo(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    # A pipe has no width; folding a table there would break the scripts that read it.
    Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else _plain(str(value))


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr while the block runs; it disappears into nothing where stderr is not a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, what="")

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, what=what)

        yield report

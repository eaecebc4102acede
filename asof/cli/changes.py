"""The difference between two manifests as lines for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import click

from asof.registry.diff import Changed, Diff, Kind

_KINDS: dict[Kind, str] = {
    "entity": "entity",
    "source": "source",
    "feature_view": "feature view",
    "on_demand_feature_view": "on-demand view",
    "feature_service": "feature service",
}


def change_lines(found: Diff, again: Collection[str] = ()) -> Iterator[str]:
    """One line per change, with the parts that differ below it; ``again`` names versions that were published before."""
    for added in found.added:
        what = "comes back" if added.reference in again else "new"
        line = f"+ {added.reference}  {what} {_KINDS[added.kind]}{_read_by(added.readers)}"
        yield click.style(line, fg="green")
    for changed in found.reworded:
        yield from _changed(changed, "~", "reworded", "yellow")
    for changed in found.refused:
        yield from _changed(changed, "!", "REFUSED: its meaning changes, so it needs a new version", "red")
    for removed in found.removed:
        were = f", until now{_read_by(removed.were)}" if removed.were else ""
        still = f", and STILL{_read_by(removed.readers)}" if removed.readers else ""
        yield click.style(f"- {removed.reference}  {_KINDS[removed.kind]} removed{were}{still}", fg="red")
        if removed.kind == "feature_view" and not removed.readers:
            yield f"    its items stay online until: asof retire {removed.reference}"
    for repinned in found.repinned:
        if repinned.old == repinned.new:
            continue  # it is among the refused
        yield click.style(f"> {repinned.new}  reads other features than {repinned.old}", fg="yellow")
        yield from (f"    {line}" for edit in repinned.edits for line in str(edit).splitlines())
    for moved in found.moved:
        now = f"reads {moved.new}" if moved.new else "is refused, every version is deprecated"
        yield f"> {moved.view}  a request without a version {now}; until now {moved.old or 'it was refused'}"
    for reference in found.rerendered:
        yield f"~ {reference}  same meaning, its SQL is rendered anew"


def summary(found: Diff) -> str:
    """A difference on one line: ``+airport_departures@v2 ~airport_weather@v1``."""
    parts = (("+", found.added), ("~", found.reworded), ("!", found.refused), ("-", found.removed))
    names = [f"{sign}{each.reference}" for sign, group in parts for each in group]
    return " ".join(names) or ("SQL rendered anew" if found.rerendered else "")


def _changed(changed: Changed, sign: str, what: str, color: str) -> Iterator[str]:
    yield click.style(f"{sign} {changed.reference}  {_KINDS[changed.kind]} {what}{_read_by(changed.readers)}", fg=color)
    for edit in changed.edits:
        yield from (f"    {line}" for line in str(edit).splitlines())


def _read_by(readers: tuple[str, ...]) -> str:
    return f"; read by {', '.join(readers)}" if readers else ""

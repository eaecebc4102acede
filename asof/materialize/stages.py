"""A run as data, and the stages it goes through, as ``explain`` prints them; ``asof.materialize.chunk`` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from asof.clock import duration_text, iso
from asof.manifest import FeatureView

RunKind = Literal["incremental", "materialize", "backfill"]

RECORDED: Final = ("computed", "checked", "committed")
"""What the ledger records of a chunk, in order. Whoever finds ``checked`` must commit: another may have begun to."""

MOST_SQL_BYTES: Final = 200_000
"""A state of a state machine may hold 256 KB, and a query travels in one."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a run: grid times ``[from_ms, to_ms)``; those before ``on_time_ms`` are recomputed for late events."""

    index: int
    from_ms: int
    to_ms: int
    on_time_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run over a view version, fixed when it begins, so that anyone can finish it.

    ``from_ms`` is the first grid time asked for; ``begin_ms <= from_ms`` the first one computed (warm-up, late events).
    """

    view: str
    version: int
    run_id: str
    kind: RunKind
    begin_ms: int
    from_ms: int
    to_ms: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """Unload the rows that differ from the history to a prefix of this attempt's own, outside anybody's sight."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Check:
    """Verify the attempt's rows by SQL before anybody can see them."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Commit:
    """Register the attempt's partitions: the rows become visible to training sets."""

    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Load:
    """Write the newest row per entity of the whole run to the online store; older never replaces newer."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Advance the watermark and close the run."""


Stage = Compute | Check | Commit | Load | Publish


def chunk_stages(chunk: Chunk) -> tuple[Compute, Check, Commit]:
    """What happens to one chunk, in order. Chunks do not depend on each other."""
    return Compute(chunk), Check(chunk), Commit(chunk)


def stages(run: Run, view: FeatureView) -> tuple[Stage, ...]:
    """Everything a run does, in an order that is always right."""
    work: list[Stage] = [stage for chunk in run.chunks for stage in chunk_stages(chunk)]
    return (*work, *((Load(),) if view.online else ()), Publish())


def describe(stage: Stage) -> str:
    """One line for people: what the stage does to which grid times."""
    name = type(stage).__name__.lower()
    if isinstance(stage, Compute | Check | Commit):
        return f"{name:8} {iso(stage.chunk.from_ms)} <= T < {iso(stage.chunk.to_ms)}"
    what = {"load": "newest row per entity to the online store", "publish": "advance the watermark, close the run"}
    return f"{name:8} {what[name]}"


def explain(run: Run, view: FeatureView, done: Sequence[str] = ()) -> str:
    """What executing the run would do, stage by stage; ``done`` holds descriptions that the ledger says are over."""
    asked = f"{iso(run.from_ms)} <= T < {iso(run.to_ms)}"
    lines = [f"{view.reference}: {run.kind} of {asked}, every {duration_text(view.step_ms)} ({run.run_id})"]
    if run.begin_ms < run.from_ms:
        why = "late events" if run.kind == "incremental" else "windows that are open at the start"
        lines.append(f"  begins {duration_text(run.from_ms - run.begin_ms)} earlier, for {why}")
    for stage in stages(run, view):
        text = describe(stage)
        lines.append(f"  [{'x' if text in done else ' '}] {text}")
    return "\n".join(lines)

"""A run as data, and the stages it goes through: one list, by which ``explain`` prints and the runner works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
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


ChunkStep = Literal["count", "quarantine", "compute", "check", "commit"]
RunStep = Literal["load", "publish"]

CHUNK_STEPS: Final[tuple[ChunkStep, ...]] = ("count", "quarantine", "compute", "check", "commit")
"""What happens to one chunk, in order; chunks do not depend on each other. ``asof.materialize.chunk`` goes by it."""

WHAT: Final[Mapping[ChunkStep | RunStep, str]] = {
    "count": "the source's rows without a key, and those that came too late",
    "quarantine": "set the rows without a key aside, where there are any",
    "compute": "unload the rows that differ from the history to a prefix that nobody reads",
    "check": "verify those rows by SQL, where there are any",
    "commit": "register their partitions: training sets see them",
    "load": "newest row per entity of the run to the online store; older never replaces newer",
    "publish": "advance the watermark, close the run",
}
"""What each step does, for people."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step, of a chunk or of the run as a whole."""

    step: ChunkStep | RunStep
    chunk: Chunk | None = None


def run_steps(view: FeatureView) -> tuple[RunStep, ...]:
    """What happens once all chunks are committed, in order."""
    return ("load", "publish") if view.online else ("publish",)


def stages(run: Run, view: FeatureView) -> tuple[Stage, ...]:
    """Everything a run does, in an order that is always right."""
    work = [Stage(step, chunk) for chunk in run.chunks for step in CHUNK_STEPS]
    return (*work, *(Stage(step) for step in run_steps(view)))


def describe(stage: Stage) -> str:
    """One line for people: what the stage does to which grid times."""
    where = "" if stage.chunk is None else f"{iso(stage.chunk.from_ms)} <= T < {iso(stage.chunk.to_ms)}: "
    return f"{stage.step:10} {where}{WHAT[stage.step]}"


def explain(run: Run, view: FeatureView, recorded: Mapping[int, str] = MappingProxyType({})) -> str:
    """What executing the run would do, stage by stage; ``recorded`` is what the ledger says of chunks, by index."""
    asked = f"{iso(run.from_ms)} <= T < {iso(run.to_ms)}"
    lines = [f"{view.reference}: {run.kind} of {asked}, every {duration_text(view.step_ms)} ({run.run_id})"]
    if run.begin_ms < run.from_ms:
        why = "late events" if run.kind == "incremental" else "windows that are open at the start"
        lines.append(f"  begins {duration_text(run.from_ms - run.begin_ms)} earlier, for {why}")
    marked = (f"  [{'x' if _over(stage, recorded) else ' '}] {describe(stage)}" for stage in stages(run, view))
    return "\n".join([*lines, *marked])


def _over(stage: Stage, recorded: Mapping[int, str]) -> bool:
    """Whether a stage need not be taken again: what was computed and never checked is computed anew."""
    found = None if stage.chunk is None else recorded.get(stage.chunk.index)
    return found == "committed" or (found == "checked" and stage.step != "commit")

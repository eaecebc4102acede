"""A plan: what deploying definitions would change, why it may be refused, and what it would cause to be computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asof.errors import AsofError, PublishedVersionError, RequestError, RetiredVersionError
from asof.manifest import FeatureView, Manifest
from asof.materialize.ledger import Watermark
from asof.materialize.lifecycle import reader_of
from asof.materialize.plan import CHUNK_MS, plan_incremental, plan_range
from asof.materialize.services import Services
from asof.materialize.stages import Run, explain
from asof.names import Environment
from asof.registry.diff import Diff
from asof.registry.estimate import Estimate, estimate
from asof.registry.measure import SourceSize, measure
from asof.registry.publish import check

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_RUN_ID: Final = "planned"  # the same each time, so that two plans can be compared


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a new view implies: the stages of its first run, or in ``note`` why there are none; and its estimate."""

    view: str
    stages: str | None
    estimate: Estimate | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Interval:
    """The grid times a first run is asked for; without ``start_ms`` as far back as lookups can see."""

    start_ms: int | None
    end_ms: int | None
    chunk_ms: int = CHUNK_MS

    def run(self, manifest: Manifest, view: FeatureView, watermark: Watermark | None, now_ms: int) -> Run | None:
        """The run over a view, None where nothing is due; raises RequestError where the interval does not fit."""
        if self.start_ms is None:
            return plan_incremental(
                view,
                manifest.source(view.source),
                watermark=watermark,
                now_ms=now_ms,
                end_ms=self.end_ms,
                run_id=_RUN_ID,
                chunk_ms=self.chunk_ms,
            )
        bounds = self.start_ms, now_ms if self.end_ms is None else self.end_ms
        return plan_range(
            view, "backfill", bounds, watermark=watermark, now_ms=now_ms, run_id=_RUN_ID, chunk_ms=self.chunk_ms
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What the registry remembers beside the manifest in force: why it would refuse, and which versions come back."""

    problems: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


def remembered(s3: S3Client, environment: Environment, manifest: Manifest, found: Diff) -> Memory:
    """What the difference to the manifest in force does not show: a name that was used once means the same for ever."""
    shown = {each.reference for each in found.refused}
    try:
        new = set(check(s3, environment, manifest))
    except PublishedVersionError as error:
        earlier = [reference for reference in error.references if reference not in shown]
        return Memory(tuple(f"{each} was published before with another meaning, and removed since" for each in earlier))
    except RetiredVersionError as error:
        return Memory(tuple(f"{each} is retired and never comes back into service" for each in error.references))
    versions = ("feature_view", "on_demand_feature_view", "feature_service")
    return Memory((), tuple(e.reference for e in found.added if e.kind in versions and e.reference not in new))


def problems(found: Diff) -> list[str]:
    """Why a difference cannot be deployed; empty where it can."""
    meaning = [
        f"{each.reference} is published, and its meaning would change: restore it, or give the change a new version"
        for each in found.refused
    ]
    read = [f"{each.reference} is removed, but {', '.join(each.readers)} read it" for each in found.broken]
    return [*meaning, *read]


def backfills(
    manifest: Manifest,
    views: Sequence[FeatureView],
    interval: Interval,
    now_ms: int,
    *,
    services: Services | None = None,
    again: Sequence[str] = (),
    estimates: bool = True,
) -> list[Backfill]:
    """What each new view implies; with ``services`` and ``estimates`` their sources are measured and costs estimated.

    Views that come back (``again``) go on where the ledger says they were. A source that cannot be measured, and an
    interval that does not fit a view, are notes: a plan tells all it can.
    """
    sizes: dict[str, SourceSize | str] = {}
    made = []
    for view in views:
        watermark = reader_of(services).watermark(view.reference) if services and view.reference in again else None
        try:
            run = interval.run(manifest, view, watermark, now_ms)
        except RequestError as error:
            made.append(Backfill(view.reference, None, None, str(error)))
            continue
        if run is None:
            made.append(Backfill(view.reference, None, None, "nothing is due"))
            continue
        if estimates and services is not None and view.source not in sizes:
            sizes[view.source] = _measured(services, manifest, view.source)
        size = sizes.get(view.source)
        cost = estimate(manifest, view, run, size) if isinstance(size, SourceSize) else None
        made.append(Backfill(view.reference, explain(run, view), cost, size if isinstance(size, str) else None))
    return made


def _measured(services: Services, manifest: Manifest, source: str) -> SourceSize | str:
    """The size of a source, or why it is not known."""
    try:
        return measure(services.s3, services.glue, manifest.source(source))
    except AsofError as error:
        return f"no estimate: {error}"

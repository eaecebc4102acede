"""FeatureStore: one object in front of everything, with Feast's method names. It composes and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from asof.clock import Clock, duration_ms, to_ms
from asof.errors import RequestError
from asof.manifest import FeatureView, Manifest
from asof.materialize.ledger import LedgerReader, RunRecord, Watermark
from asof.materialize.lifecycle import Planner, RunRequest
from asof.materialize.plan import CHUNK_MS
from asof.materialize.runner import Progress, Runner, quiet
from asof.materialize.services import Services
from asof.materialize.stages import Run, RunKind, explain
from asof.names import Environment
from asof.offline.athena_engine import AthenaEngine
from asof.offline.duckdb_engine import DuckDBEngine
from asof.offline.retrieval import RetrievalJob, get_historical_features
from asof.offline.sources import check_source
from asof.offline.tables import ensure_tables
from asof.online.client import online_client
from asof.online.reader import OnlineReader
from asof.references import find_feature_view
from asof.registry.publish import publish, read_manifest
from asof.serve.lookup import OnlineLookup
from asof.serve.response import OnlineResponse

if TYPE_CHECKING:
    import boto3

Engine = Literal["athena", "duckdb"]


class FeatureStore:
    """A feature store: definitions in force, their history, the online store, and the runs that keep them in step.

    Open one with :meth:`local` or :meth:`from_environment`; close it, or use it as a context manager.
    """

    def __init__(self, services: Services, on_close: Callable[[], None] | None = None) -> None:
        self.services = services
        self._on_close = on_close
        self._lookup: OnlineLookup | None = None

    @classmethod
    def local(cls, path: str | Path = "feature_defs", *, clock: Clock | None = None) -> Self:
        """A store in the local cloud, in this process: the definitions under ``path``, published and ready.

        Everything in it is gone when the store is closed. Needs the extra ``asof[local]``. While it is open, all of
        boto3 in this process talks to the local cloud.
        """
        from asof.definitions import compile_path
        from asof.local import LocalCloud

        manifest = compile_path(Path(path))
        cloud = LocalCloud()
        cloud.start()
        try:
            environment = cloud.environment("local")
            cloud.provision(environment)
            store = cls(Services.connect(environment, manifest, cloud.session(), clock), cloud.stop)
            store.apply()
        except BaseException:
            cloud.stop()
            raise
        return store

    @classmethod
    def from_environment(cls, name: str, *, session: boto3.Session | None = None, clock: Clock | None = None) -> Self:
        """The deployed store ``name`` of the account and region that the AWS credentials in force belong to."""
        session = session or session_in_force()
        environment = find_environment(name, session)
        manifest = read_manifest(session.client("s3", region_name=environment.region), environment)
        return cls(Services.connect(environment, manifest, session, clock))

    @property
    def manifest(self) -> Manifest:
        """The definitions in force."""
        return self.services.manifest

    def apply(self) -> list[str]:
        """Publish the manifest and create its tables; the references of the versions that are new.

        Raises PublishedVersionError, and changes nothing, where a published version would change its meaning.
        """
        services = self.services
        new = publish(services.s3, services.environment, self.manifest, clock=services.clock)
        ensure_tables(services.glue, services.environment, self.manifest)
        return new

    def get_historical_features(
        self,
        entity_df: Any,
        features: str | Sequence[str],
        *,
        as_of: Literal["served", "event"] = "served",
        known_as_of: datetime | None = None,
        full_feature_names: bool = False,
        engine: Engine = "athena",
    ) -> RetrievalJob:
        """Point-in-time correct features for entity rows; lazy: nothing runs until the job is asked for its result.

        ``entity_df`` is a pandas frame, an Arrow table, a SELECT, or an ``s3://`` prefix of Parquet, with the entity
        keys and ``event_timestamp``. ``features`` names features (``view:feature``, ``view@v2:feature``) or a feature
        service. ``as_of="served"`` uses what serving could have known at each row's time; ``"event"`` is Feast's rule.
        ``known_as_of`` hides rows created later. Every entity row comes back once, in order.
        """
        return get_historical_features(
            self.manifest,
            self._engine(engine),
            entity_df,
            features,
            as_of=as_of,
            known_as_of=known_as_of,
            full_feature_names=full_feature_names,
        )

    def get_online_features(
        self,
        features: str | Sequence[str],
        entity_rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        *,
        full_feature_names: bool = False,
    ) -> OnlineResponse:
        """The features of entities now, with a status, event time and age each; one row per entity row, in order."""
        if self._lookup is None:
            services = self.services
            client, table = online_client(services.online), services.environment.online_table
            reader = OnlineReader(client, table, clock=services.clock)
            self._lookup = OnlineLookup(self.manifest, reader, services.clock)
        return self._lookup.get_online_features(features, entity_rows, full_feature_names=full_feature_names)

    def materialize_incremental(
        self,
        end_date: datetime | None = None,
        feature_views: Sequence[str] | None = None,
        *,
        progress: Progress = quiet,
    ) -> list[RunRecord]:
        """Bring views from their watermark through the last grid time that is due (and not after ``end_date``)."""
        end_ms = None if end_date is None else to_ms(end_date, "end_date")
        asked = RunRequest("incremental", end_ms=end_ms)
        return self._work(self.views(feature_views), asked, 1, progress)

    def materialize(
        self,
        start_date: datetime,
        end_date: datetime,
        feature_views: Sequence[str] | None = None,
        *,
        progress: Progress = quiet,
    ) -> list[RunRecord]:
        """Materialize the grid times in ``[start_date, end_date)`` of views; what is there already is left alone."""
        asked = _asked("materialize", start_date, end_date)
        return self._work(self.views(feature_views), asked, 1, progress)

    def backfill(
        self,
        feature_views: Sequence[str] | str,
        start_date: datetime,
        end_date: datetime,
        *,
        chunk: timedelta | str | None = None,
        workers: int = 2,
        progress: Progress = quiet,
    ) -> list[RunRecord]:
        """Materialize a long range in chunks, ``workers`` side by side; repeated after a kill, it goes on."""
        names = [feature_views] if isinstance(feature_views, str) else feature_views
        asked = _asked("backfill", start_date, end_date, chunk)
        return self._work(self.views(names), asked, workers, progress)

    def explain(
        self,
        feature_view: str,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        *,
        chunk: timedelta | str | None = None,
    ) -> str:
        """What a backfill, or without ``start_date`` an incremental run, would do, without doing it."""
        view = self.views([feature_view])[0]
        if start_date is None:
            end_ms = None if end_date is None else to_ms(end_date, "end_date")
            asked = RunRequest("incremental", end_ms=end_ms)
        elif end_date is None:
            raise RequestError("explain needs end_date where start_date is given")
        else:
            asked = _asked("backfill", start_date, end_date, chunk)
        run = asked.planner(self.services, view)(self.watermark(view.reference), "not begun")
        plans = [
            explain(record.run, view, self._recorded(view, record.run))
            for record in self.runs(view.reference)
            if record.state == "open"
        ]
        plans += [explain(run, view)] if run else []
        return "\n".join(plans) or f"{view.reference}: up to date, nothing to do"

    def _recorded(self, view: FeatureView, run: Run) -> dict[int, str]:
        """How far the ledger says that a run's chunks have come."""
        return {index: each.stage for index, each in self._ledger().chunks(view.reference, run.run_id).items()}

    def abandon(self, feature_view: str, run_id: str) -> RunRecord:
        """Give an open run up; what it committed is loaded, so that history and lookups agree."""
        return Runner(self.services, self.views([feature_view])[0]).abandon(run_id)

    def watermark(self, feature_view: str) -> Watermark | None:
        """What is published of a view; None where nothing is."""
        return self._ledger().watermark(self.views([feature_view])[0].reference)

    def runs(self, feature_view: str) -> list[RunRecord]:
        """The runs of a view, oldest first."""
        return self._ledger().runs(self.views([feature_view])[0].reference)

    def views(self, references: Sequence[str] | None = None) -> list[FeatureView]:
        """The feature views named (``view`` or ``view@v2``), or all that are not deprecated.

        Raises UnknownFeatureError with the nearest names.
        """
        if references is None:
            return [view for view in self.manifest.feature_views if not view.deprecated]
        return [find_feature_view(self.manifest, reference) for reference in references]

    def close(self) -> None:
        """Let go of what :meth:`local` started."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _engine(self, name: Engine) -> AthenaEngine | DuckDBEngine:
        services = self.services
        engines: dict[str, type[AthenaEngine | DuckDBEngine]] = {"athena": AthenaEngine, "duckdb": DuckDBEngine}
        if name not in engines:
            raise RequestError(f"engine={name!r} is not one of {', '.join(engines)}")
        return engines[name](services.environment, services.athena, services.glue, services.s3)

    def _ledger(self) -> LedgerReader:
        return LedgerReader(self.services.dynamodb, self.services.environment.control_table)

    def _execute(
        self,
        view: FeatureView,
        planner: Planner,
        workers: int,
        progress: Progress,
    ) -> list[RunRecord]:
        services = self.services
        check_source(services.glue, services.environment, services.source(view), services.s3)
        return Runner(services, view, workers, progress).execute(planner)

    def _work(
        self, views: Sequence[FeatureView], asked: RunRequest, workers: int, progress: Progress
    ) -> list[RunRecord]:
        finished = []
        for view in views:
            finished += self._execute(view, asked.planner(self.services, view), workers, progress)
        return finished


def _asked(kind: RunKind, start_date: datetime, end_date: datetime, chunk: timedelta | str | None = None) -> RunRequest:
    """Raises NaiveDatetimeError for instants without a zone, RequestError for a chunk that is no duration."""
    chunk_ms = CHUNK_MS if chunk is None else duration_ms(chunk, "chunk")
    return RunRequest(kind, to_ms(start_date, "start_date"), to_ms(end_date, "end_date"), chunk_ms)


def find_environment(name: str, session: boto3.Session) -> Environment:
    """The environment ``name`` of the account and region a session belongs to."""
    if session.region_name is None:
        raise RequestError("no AWS region is set; set AWS_REGION, or name one in your AWS profile")
    account = session.client("sts", region_name=session.region_name).get_caller_identity()["Account"]
    return Environment(name, account, session.region_name)


def session_in_force() -> boto3.Session:
    """A session of the credentials and the region in force; ``AWS_REGION`` goes before what boto3 itself looks at."""
    import boto3

    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)

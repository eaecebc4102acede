"""Training sets: what is asked is checked at once, and runs when the result is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from asof.clock import iso
from asof.manifest import Manifest, fingerprint
from asof.offline.datasets import SavedDataset, save_record
from asof.offline.engine import Answer, AsOf, Engine, Stored
from asof.offline.entity_rows import LABEL, EntityFrame, EntityRows, read_entity_rows
from asof.offline.objects import folder_uri, require_empty
from asof.offline.parquet import write_object
from asof.offline.plan import Plan, make_plan
from asof.offline.progress import Progress, default_progress
from asof.offline.training_set import attach, build, to_frame, to_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def get_historical_features(
    manifest: Manifest,
    engine: Engine,
    entity_df: Any,
    features: str | Sequence[str],
    *,
    as_of: AsOf = "served",
    known_as_of: datetime | None = None,
    full_feature_names: bool = False,
    label: str = LABEL,
    progress: Progress | None = None,
) -> RetrievalJob:
    """A job that gives each entity row the features as they were at its label time (semantics.md, section 3).

    ``entity_df`` is a pandas frame, an Arrow table, a SELECT or ``EntitySQL``, an ``s3://`` prefix of Parquet or
    ``EntityS3``; it has the entity keys, the ``label`` column (without a zone it is UTC) and the request fields of
    on-demand views. ``known_as_of`` is an aware datetime: rows created later do not exist for the training set.

    All that can be is checked here, before anything runs. Raises UnknownFeatureError with the nearest names,
    EntityRowsError with everything wrong with a frame, NaiveDatetimeError, and RequestError for other arguments.
    """
    plan = make_plan(
        manifest,
        features,
        as_of=as_of,
        known_as_of=known_as_of,
        full_feature_names=full_feature_names,
        label=label,
    )
    return RetrievalJob(plan, engine, read_entity_rows(entity_df, plan.question.needs), progress)


@dataclass(frozen=True, slots=True)
class _Result:
    """What a job's run gave: the columns that came along and the features, and what it took."""

    table: pa.Table
    spent: Stored


class RetrievalJob:
    """A training set that is made when it is first asked for, and then kept.

    It has one row per entity row, in the input's order, duplicates included. ``progress`` is told of each step; by
    default a bar is shown on a terminal or in a notebook, and nothing elsewhere.
    """

    def __init__(self, plan: Plan, engine: Engine, rows: EntityRows, progress: Progress | None = None) -> None:
        self._plan = plan
        self._engine = engine
        self._rows = rows
        self._progress = progress
        self._result: _Result | None = None
        self._spent: Stored | None = None

    @property
    def sql(self) -> str:
        """The join that answers the job, over entity rows in a table ``entity_rows``; on-demand features come after."""
        return self._engine.sql(self._plan.question)

    @property
    def features(self) -> tuple[str, ...]:
        """The features asked for, pinned, in the order of their columns."""
        return tuple(str(reference) for reference in self._plan.resolved.references)

    @property
    def scanned_bytes(self) -> int | None:
        """The bytes read to answer the job; None before it has run."""
        return None if self._spent is None else self._spent.scanned_bytes

    @property
    def query_ids(self) -> tuple[str, ...]:
        """Athena's ids of the statements that were run; none before, and none for other engines."""
        return () if self._spent is None else self._spent.query_ids

    def to_pandas(self) -> pd.DataFrame:
        """The training set as a pandas frame.

        Of entity rows given as a pandas frame, all columns, dtypes, the index and the order are kept; others get the
        row's place as index. Features with NULLs have nullable dtypes (Int64, boolean; NaN for floats); instants are
        ``datetime64[ms, UTC]``. Raises QueryError where the engine fails, OnDemandError where a function does.
        """
        result = self._run()
        if not isinstance(self._rows, EntityFrame):
            return to_frame(result.table)
        if hasattr(self._rows.original, "column_names"):
            return to_frame(to_table(self._rows.original, result.table))
        return attach(self._rows.original, result.table)

    def to_df(self) -> pd.DataFrame:
        """Feast's name of :meth:`to_pandas`."""
        return self.to_pandas()

    def to_arrow(self) -> pa.Table:
        """The training set as an Arrow table; NULL and NaN stay apart, and lists stay lists.

        A pandas frame's index is left out. Raises as :meth:`to_pandas` does.
        """
        result = self._run()
        return to_table(self._rows.original, result.table) if isinstance(self._rows, EntityFrame) else result.table

    def to_s3(self, location: str, name: str | None = None) -> SavedDataset:
        """The training set as Parquet under an S3 prefix, which must be empty, with a record of how it was made.

        Entity rows that are a query or in S3 never pass through this process, unless on-demand features are asked for:
        those are computed here. ``name`` is what the record calls it; by default the prefix's last part.
        """
        location = folder_uri(location)
        require_empty(self._engine.s3, location)
        question, rows = self._plan.question, self._rows
        if isinstance(rows, EntityFrame) or self._plan.resolved.on_demand or self._result is not None:
            table = self.to_arrow()
            write_object(self._engine.s3, table, f"{location}part-0.parquet")
            spent = self._run().spent
        else:
            with self._telling() as progress:
                spent = self._engine.store(question, rows, question.needs.outputs, location, progress)
            self._spent = spent
        known_ms = question.known_as_of_ms
        dataset = SavedDataset(
            name=name or location.rstrip("/").rpartition("/")[2],
            location=location,
            features=self.features,
            as_of=question.as_of,
            known_as_of=None if known_ms is None else iso(known_ms),
            label=question.needs.label,
            rows=spent.rows,
            engine=self._engine.name,
            manifest=fingerprint(self._plan.manifest.to_json()),
            scanned_bytes=spent.scanned_bytes,
            query_ids=spent.query_ids,
        )
        save_record(self._engine.s3, dataset)
        return dataset

    def _run(self) -> _Result:
        if self._result is None:
            with self._telling() as progress:
                answer = self._answer(progress)
                progress("putting rows in order", None)
                fields = self._rows.fields if isinstance(self._rows, EntityFrame) else None
                table = build(self._plan, answer, fields)
            self._spent = Stored(answer.rows, answer.scanned_bytes, answer.query_ids)
            self._result = _Result(table, self._spent)
        return self._result

    def _answer(self, progress: Progress) -> Answer:
        rows = self._rows
        if isinstance(rows, EntityFrame) and (not rows.spine.num_rows or not self._plan.question.views):
            return Answer(rows.spine, rows.spine.num_rows)  # there is nothing to join
        return self._engine.run(self._plan.question, rows, progress)

    @contextmanager
    def _telling(self) -> Iterator[Progress]:
        if self._progress is not None:
            yield self._progress
            return
        with default_progress() as progress:
            yield progress

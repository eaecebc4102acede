"""What an engine is asked and what it answers: one small protocol that Athena and DuckDB both keep.

The modules of the engines import this one; what runs a join never needs to know which engine it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sqlglot import exp

from asof.clock import utc_date
from asof.manifest import FeatureView
from asof.offline.entity_rows import (
    INTERNAL_LABEL,
    ROW_ID,
    EntityRows,
    EntityS3,
    EntitySQL,
    Needs,
    name_problems,
    refuse,
)
from asof.offline.progress import Progress
from asof.offline.sources import fits
from asof.sql.dialects import render
from asof.sql.point_in_time import PointInTimeRequest, ViewRequest, point_in_time
from asof.value_types import Timestamp

if TYPE_CHECKING:
    import pyarrow as pa

AsOf = Literal["served", "event"]

_YEAR_1_MS = -62_135_596_800_000


@dataclass(frozen=True, slots=True)
class Question:
    """A join before it is known where its entity rows stand.

    ``needs`` says what the entity rows must have. Outputs of ``views`` are read; on-demand features come later.
    """

    views: tuple[ViewRequest, ...]
    needs: Needs
    as_of: AsOf = "served"
    known_as_of_ms: int | None = None

    def request(
        self, table: str, carry: Sequence[str] = (), label_bounds_ms: tuple[int, int] | None = None
    ) -> PointInTimeRequest:
        """The join over entity rows that stand in a table."""
        return PointInTimeRequest(
            entity_rows=table,
            row_id=ROW_ID,
            label=INTERNAL_LABEL,
            views=self.views,
            carry=tuple(carry),
            as_of=self.as_of,
            known_as_of_ms=self.known_as_of_ms,
            label_bounds_ms=label_bounds_ms,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a join gave. ``table`` has the row id, the carried columns, and the views' outputs, in any order of rows.

    It is None where there are no entity rows. ``carry`` maps the columns that came along with them to their SQL types.
    """

    table: pa.Table | None
    rows: int
    carry: Mapping[str, str] = field(default_factory=dict)
    scanned_bytes: int = 0
    query_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that went straight to S3: how many rows, and what it took."""

    rows: int
    scanned_bytes: int = 0
    query_ids: tuple[str, ...] = ()


class Engine(Protocol):
    """Something that answers questions."""

    @property
    def name(self) -> str:
        """What the engine is called, in messages and records."""
        ...

    @property
    def s3(self) -> Any:
        """The S3 client by which the engine's results are read, and others written."""
        ...

    def sql(self, question: Question) -> str:
        """The statement that would answer the question, over entity rows in a table ``entity_rows``."""
        ...

    def run(self, question: Question, rows: EntityRows, progress: Progress) -> Answer:
        """The answer in memory."""
        ...

    def store(
        self, question: Question, rows: EntitySQL | EntityS3, columns: Sequence[str], location: str, progress: Progress
    ) -> Stored:
        """The answer as Parquet under an S3 prefix (URI ending in ``/``, empty), never held by the caller.

        ``columns`` are the outputs wanted, in order, after the entity rows' own columns.
        """
        ...


def join_sql(request: PointInTimeRequest, dialect: str) -> str:
    """The join as one statement; rows in no particular order, since a sort at the end runs on a single machine."""
    query = point_in_time(request)
    query.set("order", None)
    return render(query, dialect)


def visible_dates(view: FeatureView, bounds_ms: tuple[int, int] | None) -> tuple[str, str] | None:
    """The days, inclusive, whose rows some label can see; what is older has expired for all. None where nothing is."""
    if bounds_ms is None:
        return None
    first, last = bounds_ms
    oldest = -math.inf if view.expires_ms is None else first - view.expires_ms
    return utc_date(int(oldest)) if oldest > _YEAR_1_MS else "", utc_date(last)


def quoted(name: str) -> str:
    """An identifier in double quotes, as Athena and DuckDB read it."""
    return '"' + name.replace('"', '""') + '"'


def check_columns(found: Mapping[str, str], needs: Needs) -> None:
    """Raise EntityRowsError, with everything that is wrong, where a query's columns cannot be entity rows.

    ``found`` maps each column to its type, as Athena calls it.
    """
    problems = name_problems(list(found), needs)
    for name, kind in {**needs.fields, **needs.keys, needs.label: Timestamp}.items():
        # Of an array Athena only says that it is one; its items are checked when the values are read.
        if name in found and not fits(kind, found[name]) and found[name].lower() != "array":
            problems.append(f"column {name!r} ({needs.columns[name]}) is {found[name]}, but should be {kind}")
    refuse(problems)


def staging_sql(select_sql: str, found: Mapping[str, str], needs: Needs, dialect: str) -> str:
    """The query that gives each entity row its id, once, before a join reads it more than once.

    An id made inside the join would be another one wherever the engine evaluates the rows again. Keys are brought to
    their declared types, and instants with a zone to UTC without one, which is what Parquet and the join have.
    """
    number = exp.Sub(this=exp.Window(this=exp.RowNumber()), expression=exp.Literal.number(1))
    label = _unzoned(needs.label, found[needs.label])
    columns = [exp.alias_(number, ROW_ID, quoted=True), exp.alias_(label, INTERNAL_LABEL, quoted=True)]
    for name, kind in found.items():
        value = _unzoned(name, kind)
        if name in needs.keys:
            value = exp.cast(value, exp.DataType.build(needs.keys[name].glue, dialect="hive"))
        columns.append(exp.alias_(value, name, quoted=True))
    return f"{render(exp.select(*columns), dialect)}\nFROM (\n{select_sql}\n) AS entity_rows"


def _unzoned(name: str, kind: str) -> exp.Expr:
    value: exp.Expr = exp.column(name, quoted=True)
    if kind.lower().endswith("with time zone"):
        value = exp.cast(exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC")), "timestamp")
    return value

"""Feature views: features of one entity, computed from one source on the grid of a schedule."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

import pydantic
from pydantic import PlainValidator

from asof.definitions.aggregation import Aggregation
from asof.definitions.arguments import (
    Duration,
    Many,
    OptionalDuration,
    OptionalPositiveDuration,
    Published,
    Version,
    attempt_milliseconds,
    instance_of,
)
from asof.definitions.base import Definition, Wrong, shown
from asof.definitions.entity import Entity
from asof.definitions.field import Field
from asof.definitions.schedule import Every
from asof.definitions.source import BatchSource


def _check_schedule(schedule: Any) -> Any:
    if not isinstance(schedule, Every) and not attempt_milliseconds(schedule):
        raise Wrong(
            f"={shown(schedule)} is not a schedule", 'write Every("1h"), Every("1d", offset="2h"), or short "1h"'
        )
    return schedule


class Selectable(Published):
    """A view whose features can be picked: ``view[["count_1h", "count_3h"]]``."""

    version: Version = 1
    deprecated: bool = False

    @property
    def reference(self) -> str:
        """``view@v2``."""
        return f"{self.name}@v{self.version}"

    def feature_names(self) -> tuple[str, ...]:
        """The names of the view's features, in declared order."""
        raise NotImplementedError

    def __getitem__(self, features: Sequence[str]) -> FeatureSelection:
        """Some of the view's features, in the order given."""
        return FeatureSelection(view=self, features=[features] if isinstance(features, str) else features)


class FeatureSelection(Definition):
    """Some features of a view; made by ``view[["count_1h"]]``."""

    view: Annotated[Selectable, instance_of(Selectable)]
    features: Many[str]

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """Every name is a feature of the view."""
        view, features = given.get("view"), given.get("features")
        if not isinstance(view, Selectable) or not view.complete or not isinstance(features, list | tuple):
            return
        known = view.feature_names()
        for name in features:
            if name not in known:
                nearest = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
                yield Wrong(
                    f"view {view.reference} has no feature {name!r}",
                    f"the nearest names are {', '.join(nearest)}" if nearest else f"it has {', '.join(known)}",
                )


class FeatureView(Selectable):
    """One version of features of one entity. A published version is immutable in meaning.

    Its rows come from exactly one of ``aggregations`` (windows ending at the grid times of ``schedule``), ``sql`` (one
    SELECT over the source, named as the source is, that maps each source row to at most one row, with its features in
    ``schema``), or ``schema`` alone (columns of the source, passed through).

    ``where`` keeps the source rows for which an Athena SQL expression is true. ``ttl`` is the age at which a value
    expires (not for aggregations, whose windows forget). ``publish_delay`` is the time from an event to its value being
    served; ``freshness`` the age of the data that raises an alarm, and ``on_stale`` what a lookup does then.
    """

    entity: Annotated[Entity, instance_of(Entity)]
    source: Annotated[BatchSource, instance_of(BatchSource)]
    aggregations: Many[Annotated[Aggregation, instance_of(Aggregation)]] = ()
    sql: str | None = None
    schema_: Many[Annotated[Field, instance_of(Field)]] = pydantic.Field(default=(), alias="schema")
    where: str | None = None
    schedule: Annotated[Every | timedelta | str, PlainValidator(_check_schedule)] = "1d"
    ttl: OptionalDuration = None
    publish_delay: Duration = "0s"
    freshness: OptionalPositiveDuration = None
    on_stale: Literal["serve", "default", "fail"] = "serve"
    defaults: Mapping[str, Any] = pydantic.Field(default_factory=dict)
    online: bool = True

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """One way of making rows, and no ttl where windows forget."""
        aggregations, sql, schema = (bool(given.get(name)) for name in ("aggregations", "sql", "schema"))
        if not (aggregations or sql or schema):
            yield Wrong("has no features", "give aggregations=[...], sql=... with schema=[...], or schema=[...]")
        if aggregations and (sql or schema):
            extra = " and ".join(name for name, has in (("sql", sql), ("schema", schema)) if has)
            yield Wrong(f"has both aggregations and {extra}", "split it into two views")
        if sql and not schema and not aggregations:
            yield Wrong("sql needs a schema", "declare each feature of the SELECT with schema=[Field(...), ...]")
        if aggregations and given.get("ttl") is not None:
            yield Wrong(
                "an aggregation view takes no ttl", "its windows forget by themselves; declare freshness instead"
            )

    @property
    def source_is_known(self) -> bool:
        """Whether the view can be judged against its source; a mistaken entity does not keep it from that."""
        parts = (self.source, *self.aggregations, *self.schema_) if self.valid else ()
        return self.valid and all(part.complete for part in parts)

    @property
    def kind(self) -> Literal["aggregation", "sql", "passthrough"]:
        """How the view's rows come about."""
        if self.aggregations:
            return "aggregation"
        return "passthrough" if self.sql is None else "sql"

    @property
    def grid(self) -> Every:
        """The schedule, spelled out."""
        return self.schedule if isinstance(self.schedule, Every) else Every(self.schedule)

    def feature_names(self) -> tuple[str, ...]:
        """The names of the view's features, in declared order."""
        if self.aggregations:
            return tuple(window.feature for each in self.aggregations for window in each.windows())
        return tuple(each.name for each in self.schema_)

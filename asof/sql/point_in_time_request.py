"""What a point-in-time join is asked: entity rows, views and features, the rule, and what its scans may leave out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from asof.errors import EntityRowsError, RequestError
from asof.manifest import Entity, Feature, FeatureView
from asof.names import history_table

Relation = str | exp.Expr
"""A table's name, unqualified, or any expression that may stand in FROM (DuckDB: ``read_parquet(...)``)."""


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Features of one view. ``features`` pairs each feature's name with its output column.

    ``event_timestamp`` names an output column for the chosen row's event time (NULL where there is none or it has
    expired); None leaves it out. ``history`` is the view's rows; None means its history table. Asof's history has
    ``available_timestamp >= event_timestamp``, and the pruning of ``label_bounds_ms`` relies on it.
    """

    view: FeatureView
    entity: Entity
    features: tuple[tuple[str, str], ...]
    event_timestamp: str | None = None
    history: Relation | None = None

    @property
    def relation(self) -> Relation:
        """What the view's rows are read from."""
        return self.history if self.history is not None else history_table(self.view.name, self.view.version)

    def declared(self) -> tuple[Feature, ...]:
        """The requested features, each once, in declared order: the order in which ties are broken."""
        wanted = {self.view.feature(name).name for name, _ in self.features}
        return tuple(feature for feature in self.view.features if feature.name in wanted)


@dataclass(frozen=True, slots=True)
class PointInTimeRequest:
    """A point-in-time join of entity rows with views (semantics.md, section 3).

    - ``entity_rows`` has the join keys of every requested entity under their own names, ``row_id`` (unique, bigint),
      ``label`` (timestamp, UTC; floored to milliseconds here) and the ``carry`` columns, which are passed through.
    - ``as_of="served"`` sees rows with ``available_timestamp <= label``; ``"event"`` those with
      ``event_timestamp <= label``. ``known_as_of_ms`` hides rows created later; a NULL created time stays.
    - ``label_bounds_ms`` (smallest, greatest label, both inclusive) prunes the scans; None reads all of the history.

    Raises UnknownFeatureError for a feature its view does not have, EntityRowsError where two output columns would
    have one name (compared without case, as Athena and DuckDB do), RequestError for an entity that is not the view's.
    """

    entity_rows: Relation
    row_id: str
    label: str
    views: tuple[ViewRequest, ...]
    carry: tuple[str, ...] = ()
    as_of: Literal["served", "event"] = "served"
    known_as_of_ms: int | None = None
    label_bounds_ms: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.as_of not in ("served", "event"):
            raise RequestError(f"as_of={self.as_of!r} is not a rule; it is 'served' or 'event'")
        for each in self.views:
            each.declared()  # raises for a feature that the view does not have
            if each.entity.name != each.view.entity:
                raise RequestError(f"{each.view.reference} describes {each.view.entity!r}, not {each.entity.name!r}")
        seen: set[str] = set()
        for name in self.columns():
            if name.lower() in seen:
                raise EntityRowsError(
                    f"two columns of the result would be called {name!r}; rename the column of the entity rows, "
                    f"or ask for full_feature_names=True"
                )
            seen.add(name.lower())

    @property
    def instant(self) -> str:
        """The history's column that the label is compared with."""
        return "available_timestamp" if self.as_of == "served" else "event_timestamp"

    def columns(self) -> Iterator[str]:
        """The result's columns in order: row id, carried columns, then each view's event time and features."""
        yield self.row_id
        yield from self.carry
        for each in self.views:
            if each.event_timestamp is not None:
                yield each.event_timestamp
            for _, output in each.features:
                yield output

    def by_entity(self) -> tuple[tuple[Entity, tuple[ViewRequest, ...]], ...]:
        """The views in groups of one entity, in the order in which entities first appear."""
        groups: dict[str, list[ViewRequest]] = {}
        for each in self.views:
            groups.setdefault(each.entity.name, []).append(each)
        return tuple((views[0].entity, tuple(views)) for views in groups.values())

"""A lookup: from feature references and entity rows to values with statuses. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from asof.clock import Clock
from asof.errors import EntityRowsError, RequestError
from asof.manifest import Column, Manifest, OnDemandFeatureView
from asof.on_demand import Function, compile_function, conform
from asof.online.answers import FeatureStatus, ViewAnswer
from asof.online.reader import OnlineReader
from asof.references import Resolved, resolve
from asof.serve.plan import LookupPlan, lookup_plan
from asof.serve.response import OnlineColumn, OnlineResponse
from asof.value_types import parse_type

__all__ = ["EntityRows", "OnlineLookup", "OnlineResponse", "as_rows", "get_online_features"]

EntityRows = Sequence[Mapping[str, object]] | Mapping[str, Sequence[object]]
"""Join keys and request data: one mapping per row, or one sequence per column."""

_MOST_REQUESTS: Final = 1_024  # callers choose the features, so the number of their combinations has no bound


class OnlineLookup:
    """Answers lookups from one manifest and one reader, and remembers what a request comes to.

    Keep one for as long as the manifest is in force: a request that was seen before costs nothing to resolve.
    """

    def __init__(self, manifest: Manifest, reader: OnlineReader, clock: Clock) -> None:
        self._manifest = manifest
        self._reader = reader
        self._clock = clock
        self._plans: dict[tuple[tuple[str, ...], bool], LookupPlan] = {}
        self._functions: dict[str, Function] = {}

    def get_online_features(
        self, features: str | Sequence[str], entity_rows: EntityRows, *, full_feature_names: bool = False
    ) -> OnlineResponse:
        """The features of each entity row as of now, on-demand features computed.

        ``features`` as in :func:`asof.references.resolve`. Columns of the rows that nothing needs are ignored. An
        on-demand feature whose inputs are not found is computed from their defaults.

        Raises UnknownFeatureError, RequestError, EntityRowsError before anything is read; DeadlineExceededError,
        StaleFeaturesError, OnlineStoreError where the store has no complete or fresh answer; OnDemandError where a
        function fails.
        """
        plan = self._plan(features, full_feature_names)
        resolved = plan.resolved
        rows = as_rows(entity_rows)
        given = {field.name: _request_column(field, rows) for field in resolved.request_fields}
        now_ms = self._clock.now_ms()
        answers = self._reader.read(resolved.views, rows, now_ms)
        columns: list[OnlineColumn] = []
        for answer in answers:
            columns += _view_columns(answer, plan.names[len(columns) :])
        for each in plan.computations:
            inputs = {name: given[name] if place is None else columns[place] for name, place in each.inputs}
            function = self._function(each.view)
            columns += _on_demand_columns(each.view, function, inputs, len(rows), plan.names[len(columns) :])
        return OnlineResponse(
            keys=tuple([_given_column(key.name, [row[key.name] for row in rows]) for key in resolved.join_keys]),
            features=tuple([columns[place] for place in plan.outputs]),
            as_of_ms={answer.projection.view.reference: answer.as_of_ms for answer in answers},
            now_ms=now_ms,
        )

    def resolve(self, features: str | Sequence[str], full_feature_names: bool) -> Resolved:
        """What a request comes to, remembered; raises UnknownFeatureError or RequestError."""
        return self._plan(features, full_feature_names).resolved

    def _plan(self, features: str | Sequence[str], full_feature_names: bool) -> LookupPlan:
        key = (features,) if isinstance(features, str) else tuple(features), full_feature_names
        plan = self._plans.get(key)
        if plan is None:
            resolved = resolve(self._manifest, features, full_feature_names)
            _refuse_offline_views(resolved)
            if len(self._plans) >= _MOST_REQUESTS:
                self._plans.clear()
            plan = self._plans[key] = lookup_plan(self._manifest, resolved)
        return plan

    def _function(self, view: OnDemandFeatureView) -> Function:
        function = self._functions.get(view.reference)
        if function is None:
            function = self._functions[view.reference] = compile_function(view)
        return function


def get_online_features(
    manifest: Manifest,
    reader: OnlineReader,
    features: str | Sequence[str],
    entity_rows: EntityRows,
    *,
    clock: Clock,
    full_feature_names: bool = False,
) -> OnlineResponse:
    """One lookup; see :class:`OnlineLookup`, which is better where there are many."""
    lookup = OnlineLookup(manifest, reader, clock)
    return lookup.get_online_features(features, entity_rows, full_feature_names=full_feature_names)


def as_rows(entity_rows: EntityRows) -> list[Mapping[str, object]]:
    """Entity rows as one mapping per row; raises EntityRowsError for columns of different lengths and other shapes."""
    if isinstance(entity_rows, Mapping):
        single = [
            name for name, values in entity_rows.items() if isinstance(values, str) or not hasattr(values, "__len__")
        ]
        if single:
            raise EntityRowsError(
                f"entity_rows has single values for {', '.join(single)}; give a list of values per column, or a "
                f"list of dicts, one per row"
            )
        lengths = {name: len(values) for name, values in entity_rows.items()}
        if len(set(lengths.values())) > 1:
            raise EntityRowsError(f"the columns of entity_rows differ in length: {lengths}")
        names = list(entity_rows)
        return [dict(zip(names, row, strict=True)) for row in zip(*entity_rows.values(), strict=True)]
    rows = list(entity_rows)
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise EntityRowsError(f"entity row {i} is a {type(row).__name__}; give a dict of column name to value")
    return rows


def _refuse_offline_views(resolved: Resolved) -> None:
    offline = [each.view.reference for each in resolved.views if not each.view.online]
    if offline:
        raise RequestError(
            f"{', '.join(offline)} is not served online (online=False); ask for it in a training set, or declare "
            f"online=True and materialize it"
        )


def _request_column(field: Column, rows: Sequence[Mapping[str, object]]) -> OnlineColumn:
    """The request data of one field, as its declared type holds them."""
    value_type = parse_type(field.dtype)
    values = []
    for i, row in enumerate(rows):
        if field.name not in row:
            raise EntityRowsError(f"entity row {i} has no {field.name!r}, request data that a feature is computed from")
        try:
            values.append(conform(row[field.name], value_type))
        except ValueError as error:
            raise EntityRowsError(f"entity row {i}: {field.name!r} is declared {field.dtype}: {error}") from None
    return _given_column(field.name, values)


def _given_column(name: str, values: Sequence[object]) -> OnlineColumn:
    """A column of what the caller gave."""
    return OnlineColumn(name, tuple(values), tuple(map(_status, values)), (None,) * len(values))


def _status(value: object) -> FeatureStatus:
    return FeatureStatus.NULL_VALUE if value is None else FeatureStatus.PRESENT


def _view_columns(answer: ViewAnswer, names: Sequence[str]) -> list[OnlineColumn]:
    """The columns of a view's features, in the projection's order; the names are the first of ``names``."""
    rows = answer.rows
    if not rows:
        return [OnlineColumn(name, (), (), ()) for name, _ in zip(names, answer.projection.features, strict=False)]
    event_ms = tuple([row.event_ms for row in rows])
    first = rows[0].statuses
    if all(row.statuses is first for row in rows):  # nearly always: all of them present
        statuses = [(status,) * len(rows) for status in first]
    else:
        statuses = list(zip(*[row.statuses for row in rows], strict=True))
    values = zip(*[row.values for row in rows], strict=True)
    # There may be more names: they are those of the views that follow.
    return [OnlineColumn(*column, event_ms) for column in zip(names, values, statuses, strict=False)]


def _on_demand_columns(
    view: OnDemandFeatureView,
    function: Function,
    inputs: Mapping[str, OnlineColumn],
    count: int,
    names: Sequence[str],
) -> list[OnlineColumn]:
    """The view's features, computed row by row; their names are the first of ``names``."""
    answers = [function({name: column.values[i] for name, column in inputs.items()}) for i in range(count)]
    times = [[t for column in inputs.values() if (t := column.event_ms[i]) is not None] for i in range(count)]
    event_ms = tuple(min(each, default=None) for each in times)
    columns = []
    for name, feature in zip(names, view.features, strict=False):
        values = tuple(answer[feature.name] for answer in answers)
        columns.append(OnlineColumn(name, values, tuple(map(_status, values)), event_ms))
    return columns

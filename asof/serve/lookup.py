"""A lookup: from feature references and entity rows to values with statuses. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from asof.clock import Clock
from asof.errors import EntityRowsError, RequestError
from asof.manifest import Column, Manifest, OnDemandFeatureView
from asof.on_demand import Function, compile_function, conform
from asof.online.answers import ViewAnswer
from asof.online.reader import OnlineReader
from asof.online.rows import EntityColumns, EntityRows
from asof.references import Resolved, resolve
from asof.serve.plan import LookupPlan, lookup_plan
from asof.serve.response import OnlineColumn, OnlineResponse, given_column, statuses_of, view_columns
from asof.value_types import parse_type

__all__ = ["EntityRows", "OnlineLookup", "OnlineResponse", "get_online_features"]

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
        resolved, rows = plan.resolved, EntityColumns(entity_rows)
        given = {field.name: _request_column(field, rows) for field in resolved.request_fields}
        now_ms = self._clock.now_ms()
        answers = self._reader.read(resolved.views, rows, now_ms)
        return OnlineResponse(
            plan=plan,
            key_values=[tuple(rows.column(name, "a join key")) for name in plan.key_names],
            answers=answers,
            computed=self._computed(plan, answers, given, rows.count) if plan.computations else (),
            now_ms=now_ms,
        )

    def _computed(
        self, plan: LookupPlan, answers: Sequence[ViewAnswer], given: Mapping[str, OnlineColumn], count: int
    ) -> list[OnlineColumn]:
        """The columns of the plan's on-demand views."""
        columns = view_columns(plan, answers)
        read = len(columns)
        for each in plan.computations:
            inputs = {name: given[name] if place is None else columns[place] for name, place in each.inputs}
            function = self._function(each.view)
            columns += _on_demand_columns(each.view, function, inputs, count, plan.names[len(columns) :])
        return columns[read:]

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


def _refuse_offline_views(resolved: Resolved) -> None:
    offline = [each.view.reference for each in resolved.views if not each.view.online]
    if offline:
        raise RequestError(
            f"{', '.join(offline)} is not served online (online=False); ask for it in a training set, or declare "
            f"online=True and materialize it"
        )


def _request_column(field: Column, rows: EntityColumns) -> OnlineColumn:
    """The request data of one field, as its declared type holds them."""
    value_type = parse_type(field.dtype)
    values: list[object] = []
    for i, value in enumerate(rows.column(field.name, "request data that a feature is computed from")):
        try:
            values.append(conform(value, value_type))
        except ValueError as error:
            raise EntityRowsError(f"entity row {i}: {field.name!r} is declared {field.dtype}: {error}") from None
    return given_column(field.name, tuple(values))


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
        columns.append(OnlineColumn(name, values, statuses_of(values), event_ms))
    return columns

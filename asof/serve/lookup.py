"""A lookup: from feature references and entity rows to values with statuses. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from asof.clock import Clock
from asof.errors import EntityRowsError, RequestError
from asof.manifest import Column, FeatureReference, Manifest, OnDemandFeatureView, OnDemandInput
from asof.on_demand import Function, compile_function, conform
from asof.online.answers import FeatureStatus, ViewAnswer
from asof.online.reader import OnlineReader
from asof.references import Resolved, input_reference, resolve
from asof.serve.response import OnlineColumn, OnlineResponse
from asof.value_types import parse_type

__all__ = ["EntityRows", "OnlineLookup", "OnlineResponse", "as_rows", "get_online_features"]

EntityRows = Sequence[Mapping[str, object]] | Mapping[str, Sequence[object]]
"""Join keys and request data: one mapping per row, or one sequence per column."""

_MOST_REQUESTS: Final = 1_024  # callers choose the features, so the number of their combinations has no bound

_Columns = dict[FeatureReference, OnlineColumn]


class OnlineLookup:
    """Answers lookups from one manifest and one reader, and remembers what a request comes to.

    Keep one for as long as the manifest is in force: a request that was seen before costs nothing to resolve.
    """

    def __init__(self, manifest: Manifest, reader: OnlineReader, clock: Clock) -> None:
        self._manifest = manifest
        self._reader = reader
        self._clock = clock
        self._resolved: dict[tuple[tuple[str, ...], bool], Resolved] = {}
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
        resolved = self.resolve(features, full_feature_names)
        rows = as_rows(entity_rows)
        given = {field.name: _request_column(field, rows) for field in resolved.request_fields}
        now_ms = self._clock.now_ms()
        answers = self._reader.read(resolved.views, rows, now_ms)
        columns: _Columns = {}
        for answer in answers:
            columns |= _view_columns(answer)
        for view in resolved.on_demand:
            inputs = {each.name: self._input(each, columns, given) for each in view.inputs}
            columns |= _on_demand_columns(view, self._function(view), inputs, len(rows))
        return OnlineResponse(
            keys=tuple(_given_column(key.name, [row[key.name] for row in rows]) for key in resolved.join_keys),
            features=tuple(_renamed(columns[each.reference], each.name) for each in resolved.columns),
            as_of_ms={answer.projection.view.reference: answer.as_of_ms for answer in answers},
            now_ms=now_ms,
        )

    def resolve(self, features: str | Sequence[str], full_feature_names: bool) -> Resolved:
        """What a request comes to, remembered; raises UnknownFeatureError or RequestError."""
        key = (features,) if isinstance(features, str) else tuple(features), full_feature_names
        resolved = self._resolved.get(key)
        if resolved is None:
            resolved = resolve(self._manifest, features, full_feature_names)
            _refuse_offline_views(resolved)
            if len(self._resolved) >= _MOST_REQUESTS:
                self._resolved.clear()
            self._resolved[key] = resolved
        return resolved

    def _function(self, view: OnDemandFeatureView) -> Function:
        function = self._functions.get(view.reference)
        if function is None:
            function = self._functions[view.reference] = compile_function(view)
        return function

    def _input(self, wanted: OnDemandInput, columns: _Columns, given: Mapping[str, OnlineColumn]) -> OnlineColumn:
        if wanted.view is None:
            return given[wanted.name]
        feature = wanted.feature or wanted.name
        return columns[input_reference(self._manifest, wanted.view, wanted.version, feature)]


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


def _view_columns(answer: ViewAnswer) -> _Columns:
    view = answer.projection.view
    features = answer.projection.features
    event_ms = tuple(row.event_ms for row in answer.rows)
    values = list(zip(*(row.values for row in answer.rows), strict=True)) or [()] * len(features)
    statuses = list(zip(*(row.statuses for row in answer.rows), strict=True)) or [()] * len(features)
    return {
        FeatureReference(view.name, view.version, feature.name): OnlineColumn(
            feature.name, values[i], statuses[i], event_ms
        )
        for i, feature in enumerate(features)
    }


def _on_demand_columns(
    view: OnDemandFeatureView, function: Function, inputs: Mapping[str, OnlineColumn], count: int
) -> _Columns:
    """The view's features, computed row by row."""
    answers = [function({name: column.values[i] for name, column in inputs.items()}) for i in range(count)]
    times = [[t for column in inputs.values() if (t := column.event_ms[i]) is not None] for i in range(count)]
    event_ms = tuple(min(each, default=None) for each in times)
    columns = {}
    for feature in view.features:
        values = tuple(answer[feature.name] for answer in answers)
        reference = FeatureReference(view.name, view.version, feature.name)
        columns[reference] = OnlineColumn(feature.name, values, tuple(map(_status, values)), event_ms)
    return columns


def _renamed(column: OnlineColumn, name: str) -> OnlineColumn:
    return column if column.name == name else column._replace(name=name)

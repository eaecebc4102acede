"""On-demand features of a training set: the function that serves them, row by row over columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asof.clock import from_ms
from asof.extras import require
from asof.manifest import FeatureReference, Manifest, OnDemandFeatureView, OnDemandInput
from asof.offline.arrow_types import arrow_type
from asof.on_demand import compile_function
from asof.references import Resolved, input_reference
from asof.value_types import parse_type

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[FeatureReference, "pa.ChunkedArray"]
"""A column of values, in the order of the entity rows, per feature."""


def add_on_demand(
    manifest: Manifest, resolved: Resolved, request: Mapping[str, pa.ChunkedArray], columns: Columns, rows: int
) -> None:
    """Add the features of all on-demand views, in their order of evaluation, to ``columns``.

    ``request`` has a column per request field; all columns are as declared, instants in milliseconds. Functions get
    Python values as a lookup gives them: None for NULL, aware datetimes. Raises OnDemandError where a function fails or
    returns something else than declared.
    """
    pa = require("pyarrow", "offline", "on-demand features")
    for view in resolved.on_demand:
        inputs = {each.name: _values(_column(manifest, each, request, columns)) for each in view.inputs}
        call = compile_function(view)
        answers = [call({name: values[row] for name, values in inputs.items()}) for row in range(rows)]
        for feature in view.features:
            kind = arrow_type(parse_type(feature.dtype))
            values = pa.array([answer[feature.name] for answer in answers], kind)
            columns[_reference(view, feature.name)] = pa.chunked_array([values])


def _reference(view: OnDemandFeatureView, feature: str) -> FeatureReference:
    return FeatureReference(view.name, view.version, feature)


def _column(
    manifest: Manifest, each: OnDemandInput, request: Mapping[str, pa.ChunkedArray], columns: Columns
) -> pa.ChunkedArray:
    if each.view is None:
        return request[each.name]
    return columns[input_reference(manifest, each.view, each.version, each.feature or each.name)]


def _values(column: pa.ChunkedArray) -> list[object]:
    """Python values. Instants go by way of integers, since Arrow's own way asks for the zone of each."""
    pa = require("pyarrow", "offline", "on-demand features")
    if not pa.types.is_timestamp(column.type):
        values: list[object] = column.to_pylist()
        return values
    return [None if each is None else from_ms(each) for each in column.cast(pa.int64()).to_pylist()]

"""What a user writes: entities, sources, feature views and services, compiled to the manifest.

    from asof.definitions import Aggregation, BatchSource, Entity, FeatureView, Int64, String

    airport = Entity(name="airport", join_keys={"origin": String})
    departures = BatchSource(
        name="departures",
        table="nyc.departures",
        schema={"origin": String, "dep_delay": Int64},
        timestamp_field="departed_at",
    )
    airport_departures = FeatureView(
        name="airport_departures",
        entity=airport,
        source=departures,
        aggregations=[Aggregation(function="count", time_windows=["1h", "24h"])],
        schedule="1h",
    )

Mistakes raise DefinitionError, which lists all of them with file, line and advice.
"""

from asof.definitions.aggregation import Aggregation
from asof.definitions.collection import Definitions
from asof.definitions.compile import compile_definitions, compile_path
from asof.definitions.discovery import discover
from asof.definitions.entity import Entity
from asof.definitions.feature_service import FeatureService
from asof.definitions.feature_view import FeatureSelection, FeatureView
from asof.definitions.field import Field
from asof.definitions.on_demand_view import OnDemandFeatureView, RequestSource, on_demand_feature_view
from asof.definitions.schedule import Every
from asof.definitions.source import BatchSource
from asof.value_types import Array, Bool, Date, Embedding, Float64, Int64, String, Timestamp

__all__ = [
    "Aggregation",
    "Array",
    "BatchSource",
    "Bool",
    "Date",
    "Definitions",
    "Embedding",
    "Entity",
    "Every",
    "FeatureSelection",
    "FeatureService",
    "FeatureView",
    "Field",
    "Float64",
    "Int64",
    "OnDemandFeatureView",
    "RequestSource",
    "String",
    "Timestamp",
    "compile_definitions",
    "compile_path",
    "discover",
    "on_demand_feature_view",
]

"""Reads features through Feast's own remote online client; run by the Python of Feast's environment, never imported.

A JSON object on stdin says what to define and ask, as tests/peers/test_feast_remote.py writes it; the answers go to
stdout as a JSON list. A value comes with the protobuf field that Feast read it into.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# Feast is in an environment of its own, where nobody checks types.
from feast import (  # type: ignore[import-not-found, unused-ignore]
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
    types,
)
from feast.feature_server_utils import (  # type: ignore[import-not-found, unused-ignore]
    convert_response_to_dict,
)
from feast.protos.feast.serving.ServingService_pb2 import (  # type: ignore[import-not-found, unused-ignore]
    FieldStatus,
    GetOnlineFeaturesResponse,
)
from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # type: ignore[import-not-found, unused-ignore]
from feast.protos.feast.types.Value_pb2 import Value  # type: ignore[import-not-found, unused-ignore]
from feast.type_map import python_values_to_proto_values  # type: ignore[import-not-found, unused-ignore]


def store(given: dict[str, Any]) -> FeatureStore:
    """A store with a local registry of the given names, whose online store is the API at the given address."""
    config = RepoConfig(
        project="asof",
        provider="local",
        registry=f"{given['folder']}/registry.db",
        online_store={"type": "remote", "path": given["url"]},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    made = FeatureStore(config=config)
    entities = {
        name: Entity(name=name, join_keys=[name], value_type=ValueType[kind]) for name, kind in given["keys"].items()
    }
    source = FileSource(path=f"{given['folder']}/none.parquet", timestamp_field="event_timestamp")
    views = {}
    for each in given["views"]:
        keys = [Field(name=name, dtype=getattr(types, given["key_types"][name])) for name in each["keys"]]
        fields = [Field(name=name, dtype=typed(dtype)) for name, dtype in each["features"].items()]
        owners = [entities[name] for name in each["keys"]]
        views[each["name"]] = FeatureView(name=each["name"], entities=owners, schema=keys + fields, source=source)
    services = [
        FeatureService(name=name, features=[views[view] for view in named]) for name, named in given["services"].items()
    ]
    made.apply([*entities.values(), *views.values(), *services])
    return made


def typed(name: str) -> Any:
    """One of Feast's types by its name: ``Int64``, ``Array(Int64)``."""
    inner = name.removeprefix("Array(").removesuffix(")")
    return types.Array(getattr(types, inner)) if inner != name else getattr(types, name)


def answer(made: FeatureStore, request: dict[str, Any]) -> dict[str, Any]:
    """What Feast makes of a request: columns of values, kinds and statuses, or the error it raises."""
    try:
        if "serve" in request:
            return {"served": [served(*each) for each in request["serve"]]}
        if "read" in request:
            return {"rows": online_read(made, request)}
        features = request.get("features") or made.get_feature_service(request["service"])
        response = made.get_online_features(features, request["rows"], request["full_feature_names"])
    except Exception as error:  # noqa: BLE001 # what it is, is the answer
        return {"error": f"{type(error).__name__}: {error}"}
    names = list(response.proto.metadata.feature_names.val)
    assert list(response.to_dict()) == names
    columns = {}
    for name, vector in zip(names, response.proto.results, strict=True):
        columns[name] = {
            "values": response.to_dict()[name],
            "kinds": [value.WhichOneof("val") for value in vector.values],
            "statuses": [FieldStatus.Name(status) for status in vector.statuses],
        }
    return {"columns": columns}


def online_read(made: FeatureStore, request: dict[str, Any]) -> list[Any]:
    """The other way in: one view, typed by the registry, as Feast reads the inputs of its own features."""
    view = made.get_feature_view(request["read"])
    keys = [
        EntityKey(join_keys=[request["key"]], entity_values=[Value(string_val=value)]) for value in request["values"]
    ]
    rows = made._get_provider().online_read(made.config, view, keys, requested_features=request["names"])
    return [
        {
            "event_timestamp": None if at is None else at.isoformat(),
            "values": {name: plain(value) for name, value in (values or {}).items()},
        }
        for at, values in rows
    ]


def served(value: Any, kind: str) -> Any:
    """A value of a type as the JSON that Feast's own feature server answers."""
    response = GetOnlineFeaturesResponse()
    vector = response.results.add()
    # As a value in an online store: Feast's own conversion takes a float that is no number for a null.
    made = Value(double_val=value) if kind == "DOUBLE" else python_values_to_proto_values([value], ValueType[kind])[0]
    vector.values.append(made if value is not None else Value())
    return convert_response_to_dict(response)["results"][0]["values"][0]


def plain(value: Value) -> Any:
    """A value of Feast's as JSON has it."""
    which = value.WhichOneof("val")
    found: Any = None if which is None else getattr(value, which)
    return list(found.val) if which and "_list_" in which else found


def main() -> None:
    """Answer what stdin asks."""
    given = json.load(sys.stdin)
    made = store(given)
    json.dump([answer(made, request) for request in given["requests"]], sys.stdout)


if __name__ == "__main__":
    main()

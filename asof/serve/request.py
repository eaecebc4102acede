"""From the body of an HTTP request to what a lookup takes; every way in which it can be wrong says what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asof.errors import EntityRowsError, RequestError, RequestTooLargeError
from asof.online.kinds import kind_of
from asof.references import Resolved
from asof.value_types import parse_type

MOST_BODY_BYTES: Final = 1_000_000
MOST_ENTITIES: Final = 1_000
MOST_FEATURES: Final = 1_000

_GZIP: Final = b"\x1f"
"""The first byte of what gzip makes, and of no JSON; what follows it is lost where a gateway takes it for text."""

_KNOWN: Final = frozenset({"features", "feature_service", "entities", "full_feature_names"})


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What a body asks for. ``ignored`` are the fields nobody here knows: other clients of Feast's shape send some."""

    features: str | tuple[str, ...]
    entities: Mapping[str, list[Any]]
    full_feature_names: bool
    ignored: tuple[str, ...]


def read_request(body: bytes) -> LookupRequest:
    """The request a body holds.

    ``{"features": ["view:feature", ...] | "feature_service": "name", "entities": {"key": [...]},
    "full_feature_names": false}``. Raises RequestTooLargeError and RequestError.
    """
    data = _object(body)
    features, entities = _features(data), data.get("entities")
    if not isinstance(entities, dict) or not all(isinstance(values, list) for values in entities.values()):
        raise RequestError('"entities" is an object of lists, one list of values per join key: {"origin": ["JFK"]}')
    longest = max(map(len, entities.values()), default=0)
    if longest > MOST_ENTITIES:
        raise RequestTooLargeError(
            f"{longest:,} entities are asked for, and {MOST_ENTITIES:,} is the most; ask in parts"
        )
    full_feature_names = data.get("full_feature_names", False)
    if not isinstance(full_feature_names, bool):
        raise RequestError(f'"full_feature_names" is true or false, not {_shown(full_feature_names)}')
    return LookupRequest(features, entities, full_feature_names, tuple(sorted(set(data) - _KNOWN)))


def columns_from_json(entities: Mapping[str, list[Any]], resolved: Resolved) -> dict[str, list[Any]]:
    """The columns a request needs, as their declared types hold them; those that nothing needs are left out.

    Raises EntityRowsError where one is missing, or a value does not fit its type.
    """
    needed = {each.name: each.dtype for each in (*resolved.join_keys, *resolved.request_fields)}
    missing = [name for name in needed if name not in entities]
    if missing:
        raise EntityRowsError(
            f'"entities" lacks {", ".join(missing)}; it needs {", ".join(needed)}, and has '
            f"{', '.join(sorted(entities)) or 'nothing'}"
        )
    return {name: _column(name, dtype, entities[name]) for name, dtype in needed.items()}


def _column(name: str, dtype: str, values: Sequence[Any]) -> list[Any]:
    convert = kind_of(parse_type(dtype)).from_json
    column = []
    for i, value in enumerate(values):
        try:
            column.append(None if value is None else convert(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise EntityRowsError(
                f"entity row {i}: {name}={_shown(value)} does not fit its declared type {dtype}: {error}"
            ) from None
    return column


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BODY_BYTES:
        raise RequestTooLargeError(
            f"the body is {len(body):,} bytes long, and {MOST_BODY_BYTES:,} is the most; ask in parts"
        )
    if body.startswith(_GZIP):
        raise RequestError("the body is compressed; send it as it is, without Content-Encoding")
    try:
        text = body.decode()
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_name_twice)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()  # an escape can spell half a character
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON in UTF-8: {str(error)[:200]}") from None
    if not isinstance(data, dict):
        raise RequestError(
            f"the body is a JSON {type(data).__name__}; it should be an object with features and entities"
        )
    return data


def _features(data: Mapping[str, Any]) -> str | tuple[str, ...]:
    """The feature service's name, or the references asked for."""
    service, features = data.get("feature_service"), data.get("features")
    if (service is None) == (features is None):
        raise RequestError('give either "features", a list of "view:feature", or "feature_service", a name')
    if service is not None:
        if not isinstance(service, str):
            raise RequestError(f'"feature_service" is a name, not {_shown(service)}')
        return service
    if not isinstance(features, list) or not all(isinstance(each, str) for each in features):
        raise RequestError('"features" is a list of texts such as "view:feature"')
    if len(features) > MOST_FEATURES:
        raise RequestTooLargeError(f"{len(features):,} features are asked for, and {MOST_FEATURES:,} is the most")
    return tuple(features)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON; write it as text")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises RequestError where a name stands in it twice, since nobody can know which one is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RequestError(f"the name {_shown(name)} stands twice in one object of the body; give it once")
        found[name] = value
    return found


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} nested too deeply to be shown"
    return text if len(text) <= 80 else text[:77] + "..."
